namespace Proxy.Wire;

/// <summary>An answer violates its format: it is truncated, not JSON, has no closing delimiter, or describes another study.</summary>
/// <remarks>
/// The only documented error of the readers in this folder. The message names the violated rule and quotes nothing from the
/// answer, which may be a patient's data.
/// </remarks>
public sealed class MalformedAnswerException : IOException
{
    /// <summary>Creates the exception with a message that names the violated rule.</summary>
    public MalformedAnswerException(string message) : base(message) { }

    /// <summary>Creates the exception with a message and the error that caused it.</summary>
    public MalformedAnswerException(string message, Exception inner) : base(message, inner) { }

    /// <summary>Creates the exception without a message.</summary>
    public MalformedAnswerException() { }

    /// <summary>True when the answer is well-formed but not in the requested form: the backend cannot produce that form.</summary>
    public bool IsOtherRepresentation { get; init; }
}
