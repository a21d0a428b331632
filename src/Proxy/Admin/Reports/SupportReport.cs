using Proxy.Admin.Testing;
using Proxy.Operations;

namespace Proxy.Admin.Reports;

/// <summary>What <c>GET /support-bundle</c> answers.</summary>
internal sealed record SupportReport
{
    /// <summary>The time of the report.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The version of the proxy.</summary>
    public required string Version { get; init; }

    /// <summary>The version of .NET.</summary>
    public required string Runtime { get; init; }

    /// <summary>The operating system.</summary>
    public required string OperatingSystem { get; init; }

    /// <summary>The number of processors that the process may use.</summary>
    public required int Processors { get; init; }

    /// <summary>The resident memory of the process, in bytes.</summary>
    public required long ResidentBytes { get; init; }

    /// <summary>The settings in force; secrets and addresses are hidden.</summary>
    public required IReadOnlyList<ShownSetting> Settings { get; init; }

    /// <summary>The backends, with their last test.</summary>
    public required IReadOnlyList<SupportBackend> Backends { get; init; }

    /// <summary>What is cached.</summary>
    public required CacheReport Cache { get; init; }

    /// <summary>The last warnings and errors, the newest first.</summary>
    public required IReadOnlyList<WarningReport> Warnings { get; init; }
}

/// <summary>A backend in a support bundle; <c>LastTest</c> is null if it was not tested since the start.</summary>
internal sealed record SupportBackend(string Name, string State, DateTimeOffset? Since, string Circuit, TestReport? LastTest)
{
    /// <summary>The number of requests.</summary>
    public required long Asked { get; init; }

    /// <summary>The number of failed requests.</summary>
    public required long Failed { get; init; }

    /// <summary>The latest failure; null for none.</summary>
    public required string? LastFailure { get; init; }
}
