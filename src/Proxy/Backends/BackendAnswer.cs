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
}

/// <summary>A backend that failed, and how; the detail names no patient and no address.</summary>
public sealed record BackendFailure(string Backend, BackendError Error, string Detail);

/// <summary>What a backend said: it has it, it has it not, or it failed.</summary>
/// <remarks><see cref="Failure"/> null and <see cref="IsFound"/> false: the backend does not hold what was asked for.</remarks>
public readonly record struct BackendAnswer<T>
{
    public BackendAnswer(T value) => (IsFound, Value) = (true, value);

    public BackendAnswer(BackendFailure failure) => (Failure, Value) = (failure, default!);

    public bool IsFound { get; }

    /// <summary>Only what <see cref="IsFound"/> vouches for.</summary>
    public T Value { get; }

    public BackendFailure? Failure { get; }
}
