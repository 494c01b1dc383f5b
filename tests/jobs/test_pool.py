import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pool_work
import pytest
from pool_work import calls

from noble.jobs import Failed, Pool, cluster
from noble.jobs.cluster import _run_in_worker

ITEMS = [5, 3, 0, 1, 4, 2]
SQUARES = [25, 9, 0, 1, 16, 4]


@pytest.fixture(scope="module")
def pool():
    """Two processes, shared by tests that must each leave it whole."""
    with Pool(workers=2, timeout_s=120, attempts=2) as pool:
        yield pool


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "calls"


def is_running(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


# --- what comes back


def test_results_come_in_the_order_of_the_items_from_two_processes(pool, log):
    seen = []
    results = pool.map(
        partial(pool_work.square_later, str(log)), [0, 1, 2, 3, 4], progress=lambda *counts: seen.append(counts)
    )
    assert results == [0, 1, 4, 9, 16]
    assert seen == [(done, 5) for done in range(6)]
    processes = {pid for pid, _ in calls(log)}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_no_items_have_no_results(pool):
    assert pool.map(str, []) == []


def test_an_exception_is_an_answer_and_is_not_tried_again(pool, log):
    results = pool.map(partial(pool_work.square_with_exceptions, str(log)), ITEMS)
    assert results == [25, Failed("ValueError: three is out of the question"), 0, 1, Failed("SystemExit: 5"), 4]
    assert sorted(item for _, item in calls(log)) == sorted(ITEMS)


def test_a_result_that_cannot_be_pickled_is_a_failure(pool):
    one, three = pool.map(pool_work.not_picklable, [1, 3])
    assert one == 1
    assert isinstance(three, Failed)
    assert "pickle" in three.reason


def test_what_the_workers_cannot_load_is_an_error_and_the_pool_lives_on(pool, log):
    with pytest.raises(ValueError, match=r"could not load the function or item 1 .*; are the same packages"):
        pool.map(str, [0, pool_work.NotLoadable(), 2])
    assert pool.map(partial(pool_work.square, str(log)), ITEMS) == SQUARES


def test_workers_compute_on_one_thread_and_this_process_keeps_its_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    with Pool(workers=1) as pool:
        assert pool.map(pool_work.threads, [0]) == ["1"]
    assert dict(os.environ) == before


def test_ctrl_c_is_the_business_of_the_main_process_alone(pool, log):
    """A terminal sends it to the workers too."""
    assert pool.map(partial(pool_work.square_interrupted, str(log)), ITEMS) == SQUARES
    assert len(calls(log)) == len(ITEMS)
    assert all(is_running(pid) for pid, _ in calls(log))


def test_a_function_is_loaded_once_a_process(pool, log):
    """So it can keep what is dear to make."""
    numbers = pool.map(pool_work.Counting(), range(20))
    assert sorted(numbers)[-1] >= 9  # of 20 items, one of two processes had ten


def test_items_are_looked_at_when_a_worker_is_free(pool, log):
    """So memory does not grow with their number."""
    items = pool_work.Lazy(50)
    with closing(pool.stream(partial(pool_work.square, str(log)), items)) as answers:
        for done, (index, result) in enumerate(answers, 1):
            assert result == index**2
            assert items.looked_at <= done + 2
    assert done == 50


def test_a_stream_closed_early_ends_what_is_under_way_and_the_pool_lives_on(pool, log):
    answers = pool.stream(partial(pool_work.sleep_at_three, str(log)), [0, 3, 3, 3])
    assert next(answers) == (0, 0)
    started = time.monotonic()
    answers.close()
    assert pool.map(partial(pool_work.square, str(log)), ITEMS) == SQUARES
    assert time.monotonic() - started < 60


def test_an_exception_comes_along_where_it_can_travel(pool):
    failed = pool.map(pool_work.fail, ["plain", "cannot travel"])
    assert isinstance(failed[0].error, FileNotFoundError)
    assert failed[0].error.__notes__ == ["while testing"]
    assert failed[1] == Failed("UntravelledError: it says 1")
    assert failed[1].error is None


LOCAL = """
import sys
from noble.jobs import Pool
if __name__ == "__main__":
    with Pool(workers=1) as pool:
        print(pool.map(abs, [-1]), "dask" in sys.modules or "distributed" in sys.modules)
"""


def test_local_processes_need_no_dask(tmp_path):
    (tmp_path / "main.py").write_text(LOCAL)
    done = subprocess.run([sys.executable, str(tmp_path / "main.py")], capture_output=True, text=True, timeout=120)
    assert done.stdout == "[1] False\n"


UNGUARDED = """
from noble.jobs import Pool
with Pool(workers=1) as pool:
    print(pool.map(abs, [-1]))
"""


def test_a_script_without_a_guard_is_told_so(tmp_path):
    (tmp_path / "main.py").write_text(UNGUARDED)
    done = subprocess.run([sys.executable, str(tmp_path / "main.py")], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "must do so below `if __name__" in done.stderr.splitlines()[-1]


# --- processes that die or hang


def test_a_killed_process_changes_nothing(pool, log):
    assert pool.map(partial(pool_work.die_at_three_once, str(log)), ITEMS) == SQUARES
    assert Counter(item for _, item in calls(log)) == {3: 2, 0: 1, 1: 1, 2: 1, 4: 1, 5: 1}
    killed, second = (pid for pid, item in calls(log) if item == 3)
    assert killed != second
    assert not is_running(killed)


def test_an_item_that_always_kills_takes_no_other_along(pool, log):
    results = pool.map(partial(pool_work.die_at_three, str(log)), ITEMS)
    assert results == [25, Failed("its worker process died (attempt 2 of 2)"), 0, 1, 16, 4]
    # Had another item died with it, it would have been called again.
    assert Counter(item for _, item in calls(log)) == {3: 2, 0: 1, 1: 1, 2: 1, 4: 1, 5: 1}
    assert pool.map(partial(pool_work.square, str(log)), ITEMS) == SQUARES


def test_an_item_is_not_run_by_the_next_process_at_the_same_address(monkeypatch):
    """Dask runs a task again by itself; whoever restarts workers on fixed ports lets it."""
    pytest.importorskip("distributed")
    monkeypatch.setattr("distributed.get_worker", lambda: SimpleNamespace(local_directory="second"))
    function, item = pickle.dumps(abs), pickle.dumps(-3)
    assert _run_in_worker(function, item, 60.0, "first") is None
    answer = _run_in_worker(function, item, 60.0, "second")
    assert answer is not None
    assert pickle.loads(answer) == 3


def test_a_stopped_process_is_ended_from_outside(log):
    with Pool(workers=2, timeout_s=1.5, attempts=1) as pool:
        results = pool.map(partial(pool_work.stop_at_three, str(log)), ITEMS)
    assert results == [25, Failed("it took longer than 1.5 s (attempt 1 of 1)"), 0, 1, 16, 4]
    assert not any(is_running(pid) for pid, _ in calls(log))


@pytest.mark.slow
@pytest.mark.parametrize("function", [pool_work.sleep_at_three, pool_work.search_at_three])
def test_an_item_that_hangs_is_ended(function, log):
    with Pool(workers=2, timeout_s=1.5, attempts=2) as pool:
        started = time.monotonic()
        results = pool.map(partial(function, str(log)), ITEMS)
        took_s = time.monotonic() - started
    assert results == [25, Failed("it took longer than 1.5 s (attempt 2 of 2)"), 0, 1, 16, 4]
    assert took_s > 2 * 1.5
    assert Counter(item for _, item in calls(log))[3] == 2
    assert not any(is_running(pid) for pid, _ in calls(log))


@pytest.mark.slow
def test_waiting_for_a_worker_is_no_part_of_the_time_limit(log):
    items = [0] * 10  # 0.3 s each
    with Pool(workers=1, timeout_s=2.0, attempts=1) as pool:
        assert pool.map(partial(pool_work.square_later, str(log)), items) == items


# --- clusters of others


def test_a_cluster_by_its_address(log):
    pytest.importorskip("distributed")
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as there:
        for function in (pool_work.die_at_three_once, pool_work.square):  # the first pool leaves the cluster alive
            with Pool(address=there.scheduler_address, attempts=2) as pool:
                assert pool.workers is None
                assert pool.map(partial(function, str(log)), ITEMS) == SQUARES
        assert len(calls(log)) == len(ITEMS) + 1 + len(ITEMS)


def test_a_cluster_without_workers_is_an_error_after_a_while(monkeypatch):
    pytest.importorskip("distributed")
    from distributed import LocalCluster

    monkeypatch.setattr(cluster, "WORKERS_WAIT_S", 0.5)
    with (
        LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address=":0") as there,
        Pool(address=there.scheduler_address) as pool,
        pytest.raises(TimeoutError, match=r"no running worker for 0\.5 s; 0 of 3 items are done"),
    ):
        pool.map(str, [1, 2, 3])


def test_a_scheduler_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no scheduler file .*scheduler\.json; expected the path"):
        Pool(address=str(tmp_path / "scheduler.json")).__enter__()


# --- without Dask


def test_in_this_process(log):
    seen = []
    with Pool(workers=0) as pool:
        results = pool.map(
            partial(pool_work.square_with_exceptions, str(log)), ITEMS, progress=lambda *counts: seen.append(counts)
        )
    assert results == [25, Failed("ValueError: three is out of the question"), 0, 1, Failed("SystemExit: 5"), 4]
    assert calls(log) == [(os.getpid(), item) for item in ITEMS]
    assert seen == [(done, 6) for done in range(7)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": -1}, "workers is -1; expected 0"),
        ({"workers": 2, "address": "tcp://here:1"}, "a cluster brings its own workers"),
        ({"timeout_s": 0.0}, "timeout_s is 0.0; expected a positive"),
        ({"timeout_s": float("inf")}, "timeout_s is inf; expected a positive, finite"),
        ({"attempts": 0}, "attempts is 0; expected at least 1"),
    ],
)
def test_numbers_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Pool(**settings)


def test_a_pool_must_be_entered():
    with pytest.raises(RuntimeError, match="use it as `with Pool"):
        Pool(workers=1).map(str, [1])


# --- the end

INTERRUPTED = """
import time
from noble.jobs.pool import Pool

if __name__ == "__main__":
    try:
        with Pool(workers=2) as pool:
            pool.map(time.sleep, [0.0] * 2 + [60.0] * 4, progress=lambda done, total: print(done, flush=True))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_who_ends_the_main_process_ends_all(sent, tmp_path):
    import psutil

    (tmp_path / "main.py").write_text(INTERRUPTED)
    command = [sys.executable, str(tmp_path / "main.py")]
    # A session of its own: like a terminal, it gets the signal as a whole.
    main = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert main.stdout is not None
    assert [main.stdout.readline() for _ in range(3)] == ["0\n", "1\n", "2\n"]
    workers = psutil.Process(main.pid).children(recursive=True)
    assert len(workers) >= 2
    (os.killpg if sent == signal.SIGINT else os.kill)(main.pid, sent)
    sent_at = time.monotonic()
    out, err = main.communicate(timeout=30)
    if sent == signal.SIGINT:  # Ctrl-C ends quickly and without a word
        assert (out, err) == ("interrupted\n", "")
        assert time.monotonic() - sent_at < 10
    while any(is_running(worker.pid) for worker in workers):
        assert time.monotonic() - sent_at < 20
        time.sleep(0.05)
