using Proxy.Wire;

namespace Proxy.Backends.DicomWeb;

/// <summary>The instances in the parts of a multipart response.</summary>
internal sealed class ResponseSeries(MultipartReader multipart) : ArchiveSeries
{
    private long? _length;

    /// <inheritdoc/>
    public override long MaxSkippedBytes
    {
        set => multipart.MaxSkippedBytes = value;
    }

    /// <inheritdoc/>
    public override long? Length => _length;

    /// <inheritdoc/>
    public override async ValueTask<bool> ReadNextAsync(CancellationToken cancellation)
    {
        if (await multipart.ReadPartAsync(cancellation) is not { } part) return false;
        _length = part.Length;
        return true;
    }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellation) =>
        multipart.ReadBodyAsync(destination, cancellation);
}
