"""``vial completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

#: Each shell with where its users put such a script.
SHELLS = {
    "bash": 'Add to ~/.bashrc:  eval "$({program} completion bash)"',
    "zsh": 'Add to ~/.zshrc, below compinit:  eval "$({program} completion zsh)"',
    "fish": "Run once:  {program} completion fish > ~/.config/fish/completions/{program}.fish",
}


@click.command("completion", short_help="Print a completion script for a shell.")
@click.argument("shell", type=click.Choice([*SHELLS]))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the script by which a shell completes commands, options and files.

    The commands of the application in the working directory, or of the one in FLASK_APP, are
    completed too; for that it is loaded.

    \b
    To install it:
      bash: add to ~/.bashrc: eval "$(vial completion bash)"
      zsh:  add to ~/.zshrc:  eval "$(vial completion zsh)"
      fish: vial completion fish > ~/.config/fish/completions/vial.fish
    """
    root = ctx.find_root()
    program = _program(root)
    variable = f"_{program.replace('-', '_').replace('.', '_')}_COMPLETE".upper()
    kind = get_completion_class(shell)
    assert kind is not None, shell
    click.echo(f"# {SHELLS[shell].format(program=program)}")
    click.echo(kind(root.command, {}, program, variable).source())


def _program(root: click.Context) -> str:
    """The name that people type. ``python -m vial`` is no command that a shell can complete."""
    name = root.info_name or ""
    return "vial" if not name or " " in name or name.endswith(".py") else name
