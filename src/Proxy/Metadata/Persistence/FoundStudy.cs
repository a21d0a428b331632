namespace Proxy.Metadata.Persistence;

/// <summary>The content of the file for one study.</summary>
/// <param name="Study">Null when the file has none.</param>
/// <param name="IsComplete">False when a part was damaged and left out.</param>
public sealed record FoundStudy(Study? Study, bool IsComplete)
{
    /// <summary>The result when the file has none.</summary>
    public static FoundStudy Nothing { get; } = new(null, true);
}
