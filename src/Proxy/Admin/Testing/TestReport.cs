using System.Text.Json.Serialization;

namespace Proxy.Admin.Testing;

/// <summary>What a test found out about one backend, in words for an operator: no address, no UID and nothing of a patient.</summary>
/// <param name="Backend">The backend's name.</param>
/// <param name="At">The start of the test.</param>
/// <param name="Checks">One finding per aspect, always all of them, in the order of <see cref="Finding.Names"/>.</param>
/// <param name="Product">Product and version, as the backend calls itself; null when it does not.</param>
/// <param name="PageCap">The most rows of one answer to a search; null when no cap was seen.</param>
/// <param name="LatencyMs">The time of a search for one study over an open connection, in milliseconds; null when none succeeded.</param>
/// <param name="BytesPerSecond">The rate of the largest answer of the test; null when none was large enough.</param>
internal sealed record TestReport(
    string Backend, DateTimeOffset At, IReadOnlyList<Finding> Checks, string? Product, int? PageCap, double? LatencyMs,
    long? BytesPerSecond)
{
    /// <summary>True when nothing failed.</summary>
    [JsonIgnore]
    public bool IsUsable => Checks.All(check => check.Outcome != Outcome.Failed);

    /// <summary>The finding with this name.</summary>
    public Finding Get(string name) => Checks.First(check => check.Name == name);
}

/// <summary>What a test found out about one aspect of a backend.</summary>
/// <param name="Name">The aspect, one of <see cref="Names"/>.</param>
/// <param name="Outcome">How it went.</param>
/// <param name="Detail">What was seen.</param>
/// <param name="Remedy">What the operator can do; null when nothing needs to be done.</param>
internal sealed record Finding(string Name, Outcome Outcome, string Detail, string? Remedy = null)
{
    public const string Reachable = "reachable", Authentication = "authentication", Root = "root", Searches = "searches",
        Metadata = "metadata", Frames = "frames", TransferSyntax = "transferSyntax", Validators = "validators", PageCap = "pageCap";

    /// <summary>The aspects, in the order of the test: a failure of one is the reason why those after it are skipped.</summary>
    public static readonly IReadOnlyList<string> Names =
        [Reachable, Authentication, Root, Searches, Metadata, Frames, TransferSyntax, Validators, PageCap];
}

/// <summary>How the test of one aspect went.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Outcome>))]
internal enum Outcome
{
    /// <summary>It works.</summary>
    [JsonStringEnumMemberName("ok")]
    Ok,

    /// <summary>It works with a limitation that an operator should know.</summary>
    [JsonStringEnumMemberName("warning")]
    Warning,

    /// <summary>It does not work.</summary>
    [JsonStringEnumMemberName("failed")]
    Failed,

    /// <summary>It was not tested, and the detail says why.</summary>
    [JsonStringEnumMemberName("skipped")]
    Skipped,
}
