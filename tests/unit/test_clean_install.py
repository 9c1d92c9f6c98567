"""The script that follows the installation page: what it takes for a command."""

from lab.clean_install import DOWNLOADS, PAGE, commands_of


def test_commands_of_a_page() -> None:
    """Lines of console blocks behind a `# `; neither output nor other blocks nor headings."""
    page = (
        "# Title\n\n```console\n# one 'two' # three\nsaid\n```\n\n```toml\n# no command\n```\n\n"
        "```console\n# last\n```\n"
    )
    assert commands_of(page) == ["one 'two' # three", "last"]


def test_the_page_has_its_commands() -> None:
    """It begins with packages, and starts the service before it changes a secret."""
    commands = commands_of(PAGE.read_text(encoding="utf-8"))
    assert commands[0].startswith(DOWNLOADS)
    assert "systemctl enable --now fastagi-server" in commands
    assert commands[-1] == "systemctl restart fastagi-server"
