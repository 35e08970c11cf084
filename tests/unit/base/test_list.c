#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct item {
    int number;
    struct list node;
};

static void holds(struct list *head, const int *numbers, size_t count)
{
    struct list *node = head->next;

    for (size_t i = 0; i < count; i++, node = node->next) {
        assert_ptr_not_equal(node, head);
        assert_int_equal(LIST_ENTRY(node, struct item, node)->number, numbers[i]);
        assert_ptr_equal(node->next->prev, node);
    }
    assert_ptr_equal(node, head);
    assert_int_equal(list_empty(head), count == 0);
}

static void appends_and_removes(void **state)
{
    struct item items[4];
    struct list head;

    (void)state;
    list_init(&head);
    holds(&head, NULL, 0);
    for (int i = 0; i < 4; i++) {
        items[i].number = i;
        list_append(&head, &items[i].node);
    }
    holds(&head, (const int[]){ 0, 1, 2, 3 }, 4);
    list_remove(&items[1].node);
    holds(&head, (const int[]){ 0, 2, 3 }, 3);
    assert_true(list_empty(&items[1].node));
    list_remove(&items[0].node);
    list_remove(&items[3].node);
    holds(&head, (const int[]){ 2 }, 1);
    list_append(&head, &items[1].node);
    holds(&head, (const int[]){ 2, 1 }, 2);
    list_remove(&items[2].node);
    list_remove(&items[1].node);
    holds(&head, NULL, 0);
}

static void removing_twice_is_harmless(void **state)
{
    struct item a = { .number = 1 }, b = { .number = 2 };
    struct list head;

    (void)state;
    list_init(&head);
    list_append(&head, &a.node);
    list_append(&head, &b.node);
    list_remove(&a.node);
    list_remove(&a.node);
    holds(&head, (const int[]){ 2 }, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_and_removes),
        cmocka_unit_test(removing_twice_is_harmless),
    };

    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
