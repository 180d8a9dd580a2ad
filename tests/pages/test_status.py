"""The Status page: warnings first, the latest errors by number, and the settings in force."""

from dataclasses import replace

import pytest

from cxrcore import logs
from cxrcore.ui.status import state

STATE = state.ServerState(20 * 10**9, 8 * 10**9, 4 * 10**8, 15 * 10**8, 1, 2, 0)


@pytest.fixture
def now(monkeypatch):
    def use(**changes):
        monkeypatch.setattr(state, "read", lambda: replace(STATE, **changes))

    use()
    return use


def test_shows_numbers_queue_and_settings(open_page, now, monkeypatch):
    monkeypatch.setenv("CXR_MAX_JOBS", "3")
    test = open_page("status")
    assert [found.value for found in test.success] == ["The server has enough disk space and memory."]
    assert [metric.value for metric in test.metric] == ["20.0 GB", "8.0 GB", "0.4 GB", "1.5 GB"]
    assert "1 run is being trained. 2 runs wait. 0 computations wait." in [text.value for text in test.markdown]
    settings = next(table.value for table in test.dataframe if "Setting" in table.value)
    assert settings.set_index("Setting").loc["CXR_MAX_JOBS", "Value"] == "3"


def test_little_disk_and_memory_are_warned_of(open_page, now):
    now(free_disk=3 * 10**9, free_memory=5 * 10**8)
    test = open_page("status", lang="pt")
    assert len(test.warning) == 2 and not test.success
    assert "3,0 GB" in test.warning[0].value and "0,5 GB" in test.warning[1].value


def test_latest_error_is_listed_by_its_number(open_page, now):
    logs.start()
    number = logs.unexpected(KeyError("Maria"))
    test = open_page("status")
    errors = next(table.value for table in test.dataframe if "Number" in table.value)
    assert errors[["Number", "Error"]].to_dict("records") == [{"Number": number, "Error": "Unexpected error: KeyError"}]


def test_state_of_this_process(phantom):
    found = state.read()
    assert found.free_disk > 0 and found.server_memory > 10**7 and found.running == found.queued == 0
    (size, *rest) = state.folder_sizes().values()
    assert size > 60 * 1000 and not any(rest)
