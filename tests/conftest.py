"""Ctrl-C is heard in tests, however they were started: a job in the background of a shell inherits that it is not."""

import signal

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
