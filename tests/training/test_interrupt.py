import signal
import threading

import pytest

from swapmark.training.config import Config
from swapmark.training.interrupt import Interrupt, raised_anywhere
from swapmark.training.state import make_accelerator


def test_one_ctrl_c_is_noted_and_a_second_one_stops_at_once():
    with Interrupt() as interrupt:
        assert not interrupt.asked
        signal.raise_signal(signal.SIGINT)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_means_afterwards_what_it_meant_before():
    before = signal.getsignal(signal.SIGINT)
    with Interrupt():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_a_thread_that_is_not_the_first_trains_without_watching_ctrl_c():
    before, seen = signal.getsignal(signal.SIGINT), []

    def train():
        with Interrupt() as interrupt:
            seen.append((interrupt.asked, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert seen == [(False, before)]


def test_alone_a_process_agrees_with_itself():
    assert raised_anywhere(make_accelerator(Config()), True, False) == [True, False]
