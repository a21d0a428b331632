namespace Proxy.Operations;

/// <summary>What endpoints and access rules add to the audit record of a request: what only they know.</summary>
/// <remarks>
/// A feature of the request (<c>HttpContext.Features</c>) while the audit is on; otherwise a request has none, and nothing is noted. The
/// audit reads the address, the caller, the status and <c>Cache-Status</c> itself, when the answer has ended.
/// </remarks>
internal sealed class AccessNotes
{
    /// <summary>The studies, where the address does not name them; each gets a record.</summary>
    public IReadOnlyList<string> Studies { get; set; } = [];

    /// <summary>The names of the backends whose data the answer contains, or that were asked.</summary>
    public IReadOnlyList<string> Backends { get; set; } = [];

    /// <summary>How the access rules decided.</summary>
    public AccessOutcome Outcome { get; set; }

    /// <summary>Whether the caller opened a denied study in an emergency.</summary>
    public bool IsEmergency { get; set; }

    /// <summary>Whether the request itself begins an emergency access, of which each is recorded.</summary>
    public bool BeginsEmergency { get; set; }

    /// <summary>The reason that the caller stated for an emergency access; null for none.</summary>
    public string? Reason { get; set; }
}

/// <summary>How the access rules decided about a request. The client gets the same answer for a denied and for an absent study.</summary>
internal enum AccessOutcome
{
    /// <summary>The caller may see what they asked for, as far as it exists.</summary>
    Allowed,

    /// <summary>The caller may not see the study.</summary>
    Denied,
}
