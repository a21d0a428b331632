using Proxy.Wire;

namespace Proxy.Backends;

/// <summary>One body of a backend's answer, read once from its start to its end.</summary>
/// <param name="mediaType">The declared media type, such as <c>application/octet-stream</c>.</param>
/// <param name="transferSyntax">The declared transfer syntax UID; null when none is declared.</param>
/// <param name="length">The declared length in bytes; null when none is declared.</param>
public abstract class ArchiveBody(string mediaType, string? transferSyntax, long? length)
{
    /// <summary>The declared media type, such as <c>application/octet-stream</c>.</summary>
    public string MediaType => mediaType;

    /// <summary>The declared transfer syntax UID; null when none is declared.</summary>
    public string? TransferSyntax => transferSyntax;

    /// <summary>The declared length in bytes; null when none is declared.</summary>
    public long? Length => length;

    /// <summary>True when reading a truncated body fails; otherwise only its length can prove its end.</summary>
    public abstract bool IsTruncationDetectable { get; }

    /// <summary>Reads bytes, as many as have arrived and fit; 0 at the end.</summary>
    public abstract ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellation);

    /// <summary>Checks, after the last byte, that the answer ends with this body.</summary>
    /// <exception cref="MalformedAnswerException">The answer has another body, or is truncated.</exception>
    public abstract ValueTask CheckEndAsync(CancellationToken cancellation);
}
