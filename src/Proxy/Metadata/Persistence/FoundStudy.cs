namespace Proxy.Metadata.Persistence;

/// <summary>What the file has of a study.</summary>
/// <param name="Study">Null when it has nothing.</param>
/// <param name="IsWhole">False when some of it was damaged and is left out.</param>
internal sealed record FoundStudy(Study? Study, bool IsWhole)
{
    public static FoundStudy Nothing { get; } = new(null, true);
}
