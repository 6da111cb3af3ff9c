import pytest
from made_up_tables import draw_images


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A folder with the images of `IMAGES`; for reading only."""
    folder = tmp_path_factory.mktemp("images")
    draw_images(folder)
    return folder
