using System.Collections.Immutable;

namespace Proxy.Capabilities;

/// <summary>One transaction of PS3.18 that the proxy supports: a method of a resource below a DICOMweb root.</summary>
/// <param name="Method">The HTTP method. GET includes HEAD, except for an event channel.</param>
/// <param name="Path">
/// The resource below the root, as a route template without constraints: <c>studies/{study}</c>; empty for the root.
/// </param>
/// <param name="Name">The transaction, such as <c>SearchForStudies</c> (PS3.18 Table H-1).</param>
/// <param name="Section">The section of PS3.18 that defines the transaction; null for an extension of archives.</param>
public sealed record Capability(string Method, string Path, string Name, string? Section)
{
    /// <summary>The media types of the answer, the default first; empty when the PACS decides.</summary>
    public ImmutableArray<string> Answers { get; init; } = [];

    /// <summary>The media types of the request's body; empty for a request without one, or when the PACS decides.</summary>
    public ImmutableArray<string> Takes { get; init; } = [];

    /// <summary>The query parameters that have a meaning.</summary>
    public ImmutableArray<string> Parameters { get; init; } = [];

    /// <summary>The attributes that PS3.18 Table 10.6.1-5 requires as keys of a search; any other attribute is accepted too.</summary>
    public ImmutableArray<string> Keys { get; init; } = [];

    /// <summary>The status codes of an answer, without those of every address (421, 431, 500).</summary>
    public ImmutableArray<int> Statuses { get; init; } = [];

    /// <summary>True when a PACS answers: only below the root of one backend, and only with <c>Forward</c>.</summary>
    public bool IsForwarded { get; init; }
}
