#include "wire/accept.h"

#include "base/text.h"

#include <errno.h>
#include <openssl/evp.h>

int wire_accept_put(struct buf *out, struct bytes key)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    EVP_MD_CTX *sha1 = EVP_MD_CTX_new();
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int ok = sha1 != NULL && EVP_DigestInit_ex(sha1, EVP_sha1(), NULL) == 1 &&
             EVP_DigestUpdate(sha1, key.at, key.len) == 1 &&
             EVP_DigestUpdate(sha1, guid, sizeof(guid) - 1) == 1 &&
             EVP_DigestFinal_ex(sha1, digest, &len) == 1;

    EVP_MD_CTX_free(sha1);
    return ok ? text_put_base64(out, bytes_make(digest, len)) : -ENOMEM;
}
