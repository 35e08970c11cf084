"""What the tests of the wstape binary share: processes, sockets, certificates, tapes."""
