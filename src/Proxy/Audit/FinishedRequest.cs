using System.Net;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Audit;

/// <summary>A request whose answer has ended, as the audit sees it: references only, so that a hit costs nearly nothing more.</summary>
/// <param name="Subject">What it reads or changes.</param>
/// <param name="Caller">Who sent it.</param>
/// <param name="Address">The client's address, as known proxies report it; null for a Unix socket.</param>
/// <param name="Notes">What the endpoint and the access rules noted.</param>
/// <param name="Time">When the answer ended, UTC.</param>
internal readonly record struct FinishedRequest(
    AuditSubject Subject, Caller Caller, IPAddress? Address, AccessNotes Notes, DateTimeOffset Time)
{
    /// <summary>The longest query that is recorded, in characters; the rest is cut off.</summary>
    public const int MaxQuery = 2048;

    /// <summary>The method.</summary>
    public string Method { get; init; } = "";

    /// <summary>The status of the answer.</summary>
    public int Status { get; init; }

    /// <summary>The source of the answer; null if it did not come through the cache.</summary>
    public CacheStatus? Source { get; init; }

    /// <summary>The study in the address, as sent; null for none.</summary>
    public string? Study { get; init; }

    /// <summary>The series in the address, as sent; null for none.</summary>
    public string? Series { get; init; }

    /// <summary>The instance in the address, as sent; null for none.</summary>
    public string? Instance { get; init; }

    /// <summary>The list of frames in the address; null for none.</summary>
    public string? Frames { get; init; }

    /// <summary>The backend that the address names; null for the root of all backends.</summary>
    public string? Backend { get; init; }

    /// <summary>The path of a search or a forwarded request; empty for others.</summary>
    public string Path { get; init; } = "";

    /// <summary>The query with its question mark, of at most <see cref="MaxQuery"/> characters; empty for none.</summary>
    public string Query { get; init; } = "";

    /// <summary>The client's program as it names itself, of at most 200 characters.</summary>
    public string UserAgent { get; init; } = "";

    /// <summary>Whether access rules, roles or the authentication refused it.</summary>
    public bool IsRefused => Notes.Outcome == AccessOutcome.Denied || Status is 401 or 403;

    /// <summary>The outcome indicator of PS3.15 §A.5.1: 0 success, 4 minor, 8 serious, 12 major failure.</summary>
    public int Outcome => Notes.Outcome == AccessOutcome.Denied ? 4 : Status switch
    {
        < 400 => 0,
        < 500 => 4,
        // The proxy itself failed.
        500 => 12,
        _ => 8,
    };
}
