namespace Proxy.Operations.Output;

/// <summary>
/// Marks an answer whose chunks the application writes. The header alone does not: the server names its own chunks with it.
/// </summary>
internal sealed class OwnChunks
{
    /// <summary>The mark.</summary>
    public static readonly OwnChunks Mark = new();

    private OwnChunks()
    {
    }
}
