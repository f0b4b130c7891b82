"""Fixtures of the tests of processes."""
import pytest

from lib.procs import Daemon


def pytest_configure(config):
    config.addinivalue_line("markers", "long: begun before the others, since "
                            "it takes a minute")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture
def daemon(tmp_path):
    """daemon(ini) starts one in the background; {port} and {dir} are filled
    in; its pid_file must be {dir}/pid."""
    made = []

    def factory(*args, **kwargs):
        folder = tmp_path / f"daemon{len(made)}"
        folder.mkdir()
        tmp_path.chmod(0o755)
        made.append(Daemon(folder, *args, **kwargs))
        return made[-1]

    yield factory
    for one in reversed(made):
        one.close()
