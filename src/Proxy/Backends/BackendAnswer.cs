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

    /// <summary>The client did not send the whole body of its request. This says nothing about the backend.</summary>
    ClientFailed,

    /// <summary>The backend answers searches but returns this object in no form. The client gets 404.</summary>
    NotGiven,

    /// <summary>The backend answers searches but does not return this object in the requested form. The client gets 406.</summary>
    NotInThisForm,
}

/// <summary>What an error status of a backend says, in any protocol.</summary>
public enum ErrorStatus
{
    /// <summary>No status: no answer began, or its content is the failure.</summary>
    None,

    /// <summary>The request, or an object or value that it names, is not valid (HTTP 400).</summary>
    BadRequest,

    /// <summary>The resource does not exist (404).</summary>
    NotFound,

    /// <summary>The resource existed, and was deleted (410).</summary>
    Gone,

    /// <summary>The service does not exist for this resource (405).</summary>
    NotAllowed,

    /// <summary>No requested form can be given (406).</summary>
    NotAcceptable,

    /// <summary>The request asks for too much (413).</summary>
    TooLarge,

    /// <summary>The form of the request is not supported (415).</summary>
    UnsupportedForm,

    /// <summary>A working backend cannot process this request (414, 422, 431).</summary>
    Unprocessable,

    /// <summary>Another fault of the request, or a missing permission (other statuses from 400 to 428).</summary>
    Rejected,

    /// <summary>A fault of the backend, perhaps with this object only (500).</summary>
    ServerError,

    /// <summary>The backend does not offer the service (501).</summary>
    NotImplemented,

    /// <summary>The backend cannot answer now (502 and above).</summary>
    Unavailable,

    /// <summary>A status without a meaning for the proxy.</summary>
    Other,
}

/// <summary>The failure of one request to a backend.</summary>
/// <param name="Backend">The backend's name.</param>
/// <param name="Error">The kind of failure.</param>
/// <param name="Detail">The text for the log and the client; it names no patient and no address.</param>
/// <param name="Status">What the status of the answer says.</param>
public sealed record BackendFailure(string Backend, BackendError Error, string Detail, ErrorStatus Status = ErrorStatus.None)
{
    /// <summary>The kind of failure in words, for the client.</summary>
    public string Reason => Error switch
    {
        BackendError.Unreachable => "no connection",
        BackendError.TimedOut => "no answer in time",
        BackendError.Refused => "credential refused",
        BackendError.BadStatus => "error status",
        BackendError.BadAnswer => "invalid answer",
        BackendError.Busy => "busy",
        BackendError.Overloaded => "overloaded",
        BackendError.ClientFailed => "incomplete request",
        BackendError.NotGiven => "object not given",
        _ => "not given in this form",
    };

    /// <summary>What an operator can do about the failure, as a sentence that names the setting; null if that is not known.</summary>
    public string? Remedy => KnownRemedy ?? Error switch
    {
        BackendError.Unreachable => $"Check Backends:{Backend}:Address, and that the PACS runs.",
        BackendError.TimedOut => $"Check the load of the PACS, or raise Backends:{Backend}:Timeout.",
        BackendError.Refused when IsOfCaller => "Check that users authenticate with a token that the PACS accepts.",
        BackendError.Refused => $"Check Backends:{Backend}:Authentication, and the rights of that account.",
        BackendError.Busy => $"Raise Backends:{Backend}:MaxConcurrentRequests if the PACS can serve more.",
        BackendError.Overloaded => $"Lower Backends:{Backend}:MaxConcurrentRequests.",
        _ => null,
    };

    /// <summary>A remedy for this failure alone; null for that of its kind.</summary>
    public string? KnownRemedy { get; init; }

    /// <summary>The failure as a part of a sentence, for the client.</summary>
    public string Summary => $"{Reason}, {Detail.TrimEnd('.')}";

    /// <summary>True when no connection could be made: the backend or the network is at fault, not the request.</summary>
    public bool IsConnectionFailure { get; init; }

    /// <summary>
    /// True when the failure concerns the token of the user, which is forwarded: there is none, or the backend refuses it. It says nothing
    /// about the backend.
    /// </summary>
    public bool IsOfCaller { get; init; }

    /// <summary>The Retry-After of an overloaded backend; null when it sent none.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>True when the backend may be down: no answer, or an error of the backend.</summary>
    public bool IsOutage => Error is BackendError.Unreachable or BackendError.TimedOut
        || Error == BackendError.BadStatus && Status is ErrorStatus.ServerError or ErrorStatus.Unavailable;

    /// <summary>True when the failure says nothing about the backend's health: not sent, or refused by a working backend.</summary>
    public bool IsNeutral => Error is BackendError.Busy or BackendError.Overloaded or BackendError.NotGiven or BackendError.NotInThisForm
            or BackendError.ClientFailed
        || IsOfCaller
        || Error == BackendError.BadStatus && Status is ErrorStatus.BadRequest or ErrorStatus.NotAcceptable or ErrorStatus.TooLarge
            or ErrorStatus.UnsupportedForm or ErrorStatus.Unprocessable or ErrorStatus.NotImplemented;

    /// <summary>True when the status may depend on the object or on its form, so that other requests may succeed.</summary>
    public bool IsAboutTheObject => Status is ErrorStatus.BadRequest or ErrorStatus.NotAcceptable or ErrorStatus.UnsupportedForm
        or ErrorStatus.ServerError or ErrorStatus.NotImplemented;

    /// <summary>True when another form of the same object may succeed.</summary>
    public bool IsAboutTheForm => Error is BackendError.BadAnswer or BackendError.NotInThisForm || IsAboutTheObject;
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

    /// <summary>The status of a missing object.</summary>
    public ErrorStatus Status { get; init; }

    /// <summary>True when the validators of the request still match (304, RFC 9110 §15.4.5).</summary>
    public bool IsUnchanged { get; init; }

    /// <summary>The parsed body; valid only when <see cref="IsFound"/> is true.</summary>
    public T Value { get; }

    /// <summary>The failure; null when the backend answered.</summary>
    public BackendFailure? Failure { get; }
}
