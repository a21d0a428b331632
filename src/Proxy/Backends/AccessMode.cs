namespace Proxy.Backends;

/// <summary>Who decides whether a user may see the studies of a backend.</summary>
public enum AccessMode
{
    /// <summary>Every user with the role viewer may see all studies.</summary>
    Shared,

    /// <summary>The rules of <c>Security:Access:Rules</c>, or a decision point, decide about each study.</summary>
    Policy,

    /// <summary>The backend decides: it is asked with the user's own token.</summary>
    Probe,
}
