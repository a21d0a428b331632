using System.Net;

namespace Proxy.Backends;

/// <summary>Why a backend's answer cannot be used.</summary>
public enum BackendError
{
    /// <summary>No connection, or it closed before the answer began.</summary>
    Unreachable,

    /// <summary>No answer in time, or the body stopped arriving.</summary>
    TimedOut,

    /// <summary>The backend does not accept the proxy's credential (401, 403). The user is not at fault.</summary>
    Refused,

    /// <summary>An error status.</summary>
    BadStatus,

    /// <summary>The answer does not match the request: not DICOM, truncated, or of another study.</summary>
    BadAnswer,

    /// <summary>No permit was free in time. The request was not sent, so this says nothing about the backend.</summary>
    Busy,

    /// <summary>The backend asks for fewer requests: 429 (RFC 6585 §4), or 503 with Retry-After (RFC 9110 §15.6.4).</summary>
    Overloaded,

    /// <summary>The backend answers searches but returns this object in no form. The client gets 404.</summary>
    NotGiven,

    /// <summary>The backend answers searches but does not return this object in the requested form. The client gets 406.</summary>
    NotInThisForm,
}

/// <summary>The failure of one request to a backend.</summary>
/// <param name="Backend">The backend's name.</param>
/// <param name="Error">The kind of failure.</param>
/// <param name="Detail">The text for the log and the client; it names no patient and no address.</param>
/// <param name="Status">The HTTP status; null when no answer began.</param>
public sealed record BackendFailure(string Backend, BackendError Error, string Detail, HttpStatusCode? Status = null)
{
    /// <summary>True when no connection could be made: the backend or the network is at fault, not the request.</summary>
    public bool IsConnectionFailure { get; init; }

    /// <summary>The Retry-After of an overloaded backend; null when it sent none.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>True when the backend may be down: no answer, or a 5xx other than 501.</summary>
    public bool IsOutage => Error is BackendError.Unreachable or BackendError.TimedOut
        || Error == BackendError.BadStatus
            && Status is >= HttpStatusCode.InternalServerError and not HttpStatusCode.NotImplemented;

    /// <summary>True when the failure says nothing about the backend's health: not sent, or refused by a working backend.</summary>
    public bool IsNeutral => Error is BackendError.Busy or BackendError.Overloaded or BackendError.NotGiven or BackendError.NotInThisForm
        || Error == BackendError.BadStatus && Status is HttpStatusCode.BadRequest or HttpStatusCode.NotAcceptable
            or HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.RequestUriTooLong or HttpStatusCode.UnsupportedMediaType
            or HttpStatusCode.UnprocessableEntity or HttpStatusCode.RequestHeaderFieldsTooLarge or HttpStatusCode.NotImplemented;
}

/// <summary>The answer of a backend: found, missing, empty, unchanged or failed.</summary>
/// <remarks>
/// Without <see cref="IsFound"/>, <see cref="IsUnchanged"/> and <see cref="Failure"/>, the object is missing (<see cref="IsMissing"/>)
/// or empty.
/// </remarks>
/// <typeparam name="T">The type of the parsed body.</typeparam>
public readonly record struct BackendAnswer<T>
{
    /// <summary>Creates an answer that was found.</summary>
    public BackendAnswer(T value) => (IsFound, Value) = (true, value);

    /// <summary>Creates a failed answer.</summary>
    public BackendAnswer(BackendFailure failure) => (Failure, Value) = (failure, default!);

    /// <summary>True when the backend returned the object.</summary>
    public bool IsFound { get; }

    /// <summary>True when the backend does not have the object (404, 410); false for an empty one (204).</summary>
    public bool IsMissing { get; init; }

    /// <summary>The HTTP status of a missing object.</summary>
    public HttpStatusCode? Status { get; init; }

    /// <summary>True when the validators of the request still match (304, RFC 9110 §15.4.5).</summary>
    public bool IsUnchanged { get; init; }

    /// <summary>The parsed body; valid only when <see cref="IsFound"/> is true.</summary>
    public T Value { get; }

    /// <summary>The failure; null when the backend answered.</summary>
    public BackendFailure? Failure { get; }
}
