namespace Proxy.Imaging.Sandbox;

/// <summary>What became of a <see cref="CodecTask"/>.</summary>
/// <param name="Bytes">The samples or the codestream; null when the task failed.</param>
/// <param name="Reason">Why it failed, as part of a sentence; null when it did not.</param>
internal sealed record CodecOutcome(byte[]? Bytes, string? Reason)
{
    /// <summary>The task failed.</summary>
    public static CodecOutcome Failed(string reason) => new(null, reason);
}
