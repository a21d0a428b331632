namespace Proxy.Backends.Queries;

/// <summary>One backend's complete answer to one search, or its part before a failure.</summary>
/// <param name="Backend">The backend.</param>
/// <param name="Rows">The rows, with distinct UIDs of the search's level.</param>
/// <param name="Asked">The time of the request.</param>
public sealed record SearchAnswer(BackendOptions Backend, IReadOnlyList<FoundRow> Rows, DateTimeOffset Asked)
{
    /// <summary>The number of rows without a UID of their level.</summary>
    public int LeftOut { get; init; }

    /// <summary>The number of attributes that were not valid DICOM JSON.</summary>
    public int AttributesLeftOut { get; init; }

    /// <summary>True when the backend has more rows than were read.</summary>
    public bool IsCut { get; init; }

    /// <summary>True when the backend does not know the study in the path, or does not support the search.</summary>
    public bool IsUnlisted { get; init; }

    /// <summary>True when the proxy matched the rows, because the backend does not.</summary>
    public bool IsMatchedHere { get; init; }

    /// <summary>Sentences for the client about how the backend matched the search; each names the backend.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Why the answer was not read to its end; rows received before remain.</summary>
    public BackendFailure? Failure { get; init; }

    /// <summary>True when the rows are all that the backend has.</summary>
    public bool IsWhole => Failure is null && !IsCut && LeftOut == 0;

    /// <summary>The approximate memory of the rows, in bytes.</summary>
    public long Bytes { get; init; }
}
