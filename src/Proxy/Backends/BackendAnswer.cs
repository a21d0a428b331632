using System.Net;

namespace Proxy.Backends;

/// <summary>Why a backend's answer cannot be used.</summary>
public enum BackendError
{
    /// <summary>No connection, or it broke before the answer began.</summary>
    Unreachable,

    /// <summary>No answer in time, or it stopped in the middle.</summary>
    TimedOut,

    /// <summary>The backend does not accept the proxy's credential (401, 403): never the user's fault.</summary>
    Refused,

    /// <summary>A status that says it failed.</summary>
    BadStatus,

    /// <summary>An answer that is not what was asked for: not DICOM, cut short, another study's.</summary>
    BadAnswer,

    /// <summary>More requests wait for the backend than it may be given: it was not asked, and is not to blame.</summary>
    Busy,
}

/// <summary>A backend that failed, and how; the detail names no patient and no address.</summary>
/// <param name="Status">What it answered; null when no answer began.</param>
public sealed record BackendFailure(string Backend, BackendError Error, string Detail, HttpStatusCode? Status = null)
{
    /// <summary>Whether it speaks for the backend being down, not for one answer being bad: asking again and again will not help.</summary>
    public bool IsOutage => Error is BackendError.Unreachable or BackendError.TimedOut
        || Error == BackendError.BadStatus && Status is HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError and not HttpStatusCode.NotImplemented;
}

/// <summary>What a backend said: it has it, it has it not, what is known of it still holds, or it failed.</summary>
/// <remarks>None of <see cref="IsFound"/>, <see cref="IsUnchanged"/> and <see cref="Failure"/>: there is nothing, whether it <see cref="IsMissing"/> or is empty.</remarks>
public readonly record struct BackendAnswer<T>
{
    public BackendAnswer(T value) => (IsFound, Value) = (true, value);

    public BackendAnswer(BackendFailure failure) => (Failure, Value) = (failure, default!);

    public bool IsFound { get; }

    /// <summary>The backend says that it does not know what was asked for (404, 410); else it says that nothing is in it (204).</summary>
    public bool IsMissing { get; init; }

    /// <summary>The validators that were sent along still hold (304, RFC 9110 §15.4.5).</summary>
    public bool IsUnchanged { get; init; }

    /// <summary>Only what <see cref="IsFound"/> vouches for.</summary>
    public T Value { get; }

    public BackendFailure? Failure { get; }
}
