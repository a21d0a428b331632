namespace Proxy.Wire;

/// <summary>What came is not what its format promises: cut short, not JSON, no closing delimiter, another study's data.</summary>
/// <remarks>
/// The one documented error of every reader in this folder. The message says which rule was broken and quotes nothing
/// of what came, for that may be a patient's.
/// </remarks>
public sealed class MalformedAnswerException : IOException
{
    public MalformedAnswerException(string message) : base(message) { }

    public MalformedAnswerException(string message, Exception inner) : base(message, inner) { }

    public MalformedAnswerException() { }

    /// <summary>The answer is sound, and in another form than was asked for: the backend cannot give that one.</summary>
    public bool IsOtherForm { get; init; }
}
