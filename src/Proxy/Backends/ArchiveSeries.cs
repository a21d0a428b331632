using Proxy.Wire;

namespace Proxy.Backends;

/// <summary>The instances of a series in one answer of a backend, read one after the other.</summary>
public abstract class ArchiveSeries
{
    /// <summary>The limit of bytes of skipped instances; beyond it a <see cref="MalformedAnswerException"/> is thrown.</summary>
    public abstract long MaxSkippedBytes { set; }

    /// <summary>The declared length of the current instance in bytes; null when none is declared.</summary>
    public abstract long? Length { get; }

    /// <summary>Goes to the next instance and skips the rest of the current one; false when the answer has ended.</summary>
    /// <exception cref="MalformedAnswerException">The answer is truncated or not well formed.</exception>
    public abstract ValueTask<bool> ReadNextAsync(CancellationToken cancellation);

    /// <summary>Reads bytes of the current instance, as many as have arrived and fit; 0 at its end.</summary>
    /// <exception cref="MalformedAnswerException">The answer is truncated.</exception>
    public abstract ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellation);
}
