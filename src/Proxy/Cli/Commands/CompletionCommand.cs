using System.CommandLine;

namespace Proxy.Cli.Commands;

/// <summary><c>completion</c>: the script that lets a shell complete commands and options.</summary>
internal static class CompletionCommand
{
    // The program itself completes: proxy "[suggest:position]" "the line so far"
    private const string Bash = """
        _proxy_complete() {
            local IFS=$'\n'
            local found="$("${COMP_WORDS[0]}" "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)"
            COMPREPLY=( $(compgen -W "$found" -- "${COMP_WORDS[COMP_CWORD]}") )
        }
        complete -F _proxy_complete proxy Proxy
        """;

    private const string Zsh = """
        _proxy_complete() {
            local found=("${(@f)$("${words[1]}" "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}")
            compadd -a found
        }
        compdef _proxy_complete proxy Proxy
        """;

    /// <summary>Creates the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var shell = new Argument<string>("shell") { Description = "bash or zsh" };
        shell.AcceptOnlyFromAmong("bash", "zsh");
        var command = new Command("completion", "Prints a script for the shell: source <(proxy completion bash)") { shell };
        command.SetAction(parsed =>
        {
            terminal.Output.WriteLine(parsed.GetValue(shell) == "zsh" ? Zsh : Bash);
            return ExitCode.Success;
        });
        return command;
    }
}
