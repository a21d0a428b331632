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

    /// <summary>The request got none of the backend's permits in time: it was not sent, and says nothing about the backend.</summary>
    Busy,

    /// <summary>The backend works and asks for fewer requests: 429 (RFC 6585 §4), or 503 with Retry-After (RFC 9110 §15.6.4).</summary>
    Overloaded,

    /// <summary>The backend answers searches and does not give this object in any form. A client gets 404.</summary>
    NotGiven,

    /// <summary>The backend answers searches and does not give this object in the form that was asked for. A client gets 406.</summary>
    NotInThisForm,
}

/// <summary>A backend that failed, and how; the detail names no patient and no address.</summary>
/// <param name="Backend">The backend's name.</param>
/// <param name="Error">The kind of failure.</param>
/// <param name="Detail">For the log and for the client.</param>
/// <param name="Status">The status that it answered; null when no answer began.</param>
public sealed record BackendFailure(string Backend, BackendError Error, string Detail, HttpStatusCode? Status = null)
{
    /// <summary>No connection could be made: a fault of the backend or of the network, whatever was asked for.</summary>
    public bool IsConnectionFailure { get; init; }

    /// <summary>How long an overloaded backend asks to be left alone; null when it does not say.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether it may mean that the backend is down: no answer, or a 5xx other than 501.</summary>
    public bool IsOutage => Error is BackendError.Unreachable or BackendError.TimedOut
        || Error == BackendError.BadStatus
            && Status is >= HttpStatusCode.InternalServerError and not HttpStatusCode.NotImplemented;

    /// <summary>Whether it says nothing about the backend's health: it was not sent, or a working backend refused it.</summary>
    public bool IsNeutral => Error is BackendError.Busy or BackendError.Overloaded or BackendError.NotGiven or BackendError.NotInThisForm
        || Error == BackendError.BadStatus && Status is HttpStatusCode.BadRequest or HttpStatusCode.NotAcceptable
            or HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.RequestUriTooLong or HttpStatusCode.UnsupportedMediaType
            or HttpStatusCode.UnprocessableEntity or HttpStatusCode.RequestHeaderFieldsTooLarge or HttpStatusCode.NotImplemented;
}

/// <summary>What a backend said: it has it, it has it not, what is known of it still holds, or it failed.</summary>
/// <remarks>
/// None of <see cref="IsFound"/>, <see cref="IsUnchanged"/> and <see cref="Failure"/>: there is nothing, whether it <see cref="IsMissing"/>
/// or is empty.
/// </remarks>
public readonly record struct BackendAnswer<T>
{
    public BackendAnswer(T value) => (IsFound, Value) = (true, value);

    public BackendAnswer(BackendFailure failure) => (Failure, Value) = (failure, default!);

    public bool IsFound { get; }

    /// <summary>The backend says that it does not know what was asked for (404, 410); else it says that nothing is in it (204).</summary>
    public bool IsMissing { get; init; }

    /// <summary>With which status it said so.</summary>
    public HttpStatusCode? Status { get; init; }

    /// <summary>The validators that were sent along still hold (304, RFC 9110 §15.4.5).</summary>
    public bool IsUnchanged { get; init; }

    /// <summary>Only what <see cref="IsFound"/> vouches for.</summary>
    public T Value { get; }

    public BackendFailure? Failure { get; }
}
