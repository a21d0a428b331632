namespace Proxy.Cli;

/// <summary>The exit codes of all commands.</summary>
internal static class ExitCode
{
    /// <summary>The command did its work, and found no failure.</summary>
    public const int Success = 0;

    /// <summary>The command failed, or found a failure.</summary>
    public const int Failed = 1;

    /// <summary>The arguments are wrong; nothing was done.</summary>
    public const int Usage = 2;
}

/// <summary>Ends a command with a message of one line that says what to do.</summary>
/// <param name="message">The message.</param>
/// <param name="code">The exit code.</param>
internal sealed class CommandException(string message, int code = ExitCode.Failed) : Exception(message)
{
    /// <summary>The exit code.</summary>
    public int Code { get; } = code;
}
