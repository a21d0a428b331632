namespace Proxy.Admin.Reports;

/// <summary>One entry of what <c>GET /warnings</c> answers, newest first.</summary>
internal sealed record WarningReport
{
    /// <summary>Counts up from 1 since the start.</summary>
    public required long Id { get; init; }

    /// <summary>The time of the last occurrence.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary><c>warning</c> or <c>error</c>.</summary>
    public required string Level { get; init; }

    /// <summary>The number of the message; monitoring rules may rely on it.</summary>
    public required int Event { get; init; }

    /// <summary>The name of the message.</summary>
    public required string? Name { get; init; }

    /// <summary>The text.</summary>
    public required string Message { get; init; }

    /// <summary>The backend that the message names; null for none.</summary>
    public required string? Backend { get; init; }

    /// <summary>The number of consecutive occurrences.</summary>
    public required int Count { get; init; }
}
