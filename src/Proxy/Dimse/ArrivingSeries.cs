using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;
using Proxy.Wire;

namespace Proxy.Dimse;

/// <summary>The instances of a C-GET or C-MOVE as files: the head that the proxy writes, then the dataset as it arrives.</summary>
/// <remarks>
/// An instance that was not requested, or that arrived before, is skipped. At the end every requested instance must have arrived, also if
/// the final answer says success; B000 alone is no whole series (PS3.4 §C.4.3.1.4).
/// </remarks>
/// <param name="operation">The operation, started.</param>
/// <param name="expected">The requested instances; empty when they are not known.</param>
internal sealed class ArrivingSeries(RetrieveOperation operation, IReadOnlyCollection<Uid> expected) : ArchiveSeries
{
    private readonly HashSet<Uid> _arrived = [];
    private ReadOnlyMemory<byte> _head;
    private long _maxSkipped = long.MaxValue;

    /// <inheritdoc/>
    public override long MaxSkippedBytes
    {
        set => _maxSkipped = value;
    }

    /// <inheritdoc/>
    public override long? Length => null;

    /// <summary>The current instance.</summary>
    public ArrivingInstance? Current { get; private set; }

    /// <summary>The instances that arrived to their end.</summary>
    public IReadOnlySet<Uid> Arrived => _arrived;

    /// <summary>Goes to the next instance; null at the end, whether or not all arrived.</summary>
    public async Task<ArrivingInstance?> FindNextAsync(CancellationToken cancellation)
    {
        while (true)
        {
            if (Current is { } before)
            {
                await SkipAsync(cancellation);
                _arrived.Add(before.SopInstance);
                Current = null;
            }
            if (await operation.ReadNextAsync(cancellation) is not { } next) return null;
            _head = FileHead.Write(next);
            if ((expected.Count == 0 || expected.Contains(next.SopInstance)) && !_arrived.Contains(next.SopInstance)) return Current = next;
            await SkipAsync(cancellation);
        }
    }

    /// <inheritdoc/>
    public override async ValueTask<bool> ReadNextAsync(CancellationToken cancellation)
    {
        if (await FindNextAsync(cancellation) is not null) return true;
        CheckAll();
        return false;
    }

    /// <summary>Checks that every requested instance has arrived.</summary>
    /// <exception cref="MalformedAnswerException">Some are missing.</exception>
    public void CheckAll()
    {
        var status = operation.Outcome!.Status;
        if (expected.Any(uid => !_arrived.Contains(uid)))
        {
            throw new MalformedAnswerException(
                $"{_arrived.Count} of {expected.Count} instances arrived: {DimseStatus.Describe(status)}.");
        }
        if (expected.Count == 0 && status != DimseStatus.Success)
            throw new MalformedAnswerException($"The retrieval failed: {DimseStatus.Describe(status)}.");
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellation)
    {
        if (_head.IsEmpty) return await operation.ReadAsync(destination, cancellation);
        var count = Math.Min(_head.Length, destination.Length);
        _head[..count].CopyTo(destination);
        _head = _head[count..];
        return count;
    }

    private async Task SkipAsync(CancellationToken cancellation)
    {
        var skipped = new byte[16 * 1024];
        for (int count; (count = await operation.ReadAsync(skipped, cancellation)) > 0;)
        {
            if ((_maxSkipped -= count) < 0) throw new MalformedAnswerException("The archive sends too much that was not requested.");
        }
    }
}

/// <summary>One retrieved instance as a file.</summary>
/// <param name="series">Its retrieval, at the instance.</param>
/// <param name="transferSyntax">The transfer syntax of its dataset.</param>
internal sealed class ArrivingBody(ArrivingSeries series, string transferSyntax)
    : ArchiveBody(BodyFormat.Dicom, transferSyntax, length: null)
{
    /// <inheritdoc/>
    public override bool IsTruncationDetectable => true;

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellation) =>
        series.ReadAsync(destination, cancellation);

    /// <inheritdoc/>
    public override async ValueTask CheckEndAsync(CancellationToken cancellation)
    {
        if (await series.ReadNextAsync(cancellation)) throw new MalformedAnswerException("The archive sent another instance.");
    }
}
