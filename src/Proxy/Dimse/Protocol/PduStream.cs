using System.Buffers.Binary;

namespace Proxy.Dimse.Protocol;

/// <summary>Receives and sends the bytes of one association, each wait under a time limit.</summary>
/// <remarks>
/// After a time-out, a cancellation or an error the position in the stream is lost: the association cannot be used any more.
/// </remarks>
/// <param name="stream">The connection, perhaps with TLS; disposed with this object.</param>
/// <param name="time">The clock of the time limits.</param>
internal sealed class PduStream(Stream stream, TimeProvider time) : IAsyncDisposable
{
    private const int BufferBytes = 64 * 1024;

    /// <summary>The time for a last message before the connection is closed.</summary>
    private static readonly TimeSpan LastMessage = TimeSpan.FromSeconds(1);

    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(BufferBytes);
    private readonly CancellationTokenSource _stop = new(Timeout.InfiniteTimeSpan, time);
    private int _start;
    private int _end;

    /// <summary>The limit of the next waits.</summary>
    public TimeSpan Limit { get; set; }

    /// <summary>True after an error, a time-out or a cancellation.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>True when bytes have arrived that were not read.</summary>
    public bool HasBuffered => _end > _start;

    /// <summary>Reads exactly this number of bytes, at most 64 KiB; the memory is valid until the next read.</summary>
    /// <exception cref="AssociationException">The peer closed the connection.</exception>
    /// <exception cref="TimeoutException">They did not arrive within <see cref="Limit"/>.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(int count, CancellationToken cancellation)
    {
        if (_end - _start < count)
        {
            _buffer.AsSpan(_start.._end).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
            await RunAsync(FillAsync, cancellation);
        }
        _start += count;
        return _buffer.AsMemory(_start - count, count);

        async ValueTask<int> FillAsync(CancellationToken token)
        {
            while (_end < count) _end += CheckRead(await stream.ReadAsync(_buffer.AsMemory(_end), token));
            return _end;
        }
    }

    /// <summary>Reads bytes, as many as have arrived and fit; at least one.</summary>
    /// <inheritdoc cref="ReadAsync(int, CancellationToken)"/>
    public async ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellation)
    {
        if (_start == _end)
        {
            if (destination.Length >= BufferBytes)
                return await RunAsync(async token => CheckRead(await stream.ReadAsync(destination, token)), cancellation);
            (_start, _end) = (0, 0);
            _end = await RunAsync(async token => CheckRead(await stream.ReadAsync(_buffer.AsMemory(), token)), cancellation);
        }
        var count = Math.Min(destination.Length, _end - _start);
        _buffer.AsMemory(_start, count).CopyTo(destination);
        _start += count;
        return count;
    }

    /// <summary>Reads the head of a PDU: its type and the length of its content in bytes.</summary>
    /// <inheritdoc cref="ReadAsync(int, CancellationToken)"/>
    public async ValueTask<(PduType Type, uint Length)> ReadHeadAsync(CancellationToken cancellation)
    {
        var head = await ReadAsync(PduWriter.HeadBytes, cancellation);
        return ((PduType)head.Span[0], BinaryPrimitives.ReadUInt32BigEndian(head.Span[2..]));
    }

    /// <summary>Sends bytes.</summary>
    /// <inheritdoc cref="ReadAsync(int, CancellationToken)"/>
    public ValueTask<int> WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation) => RunAsync(
        async token =>
        {
            await stream.WriteAsync(bytes, token);
            await stream.FlushAsync(token);
            return 0;
        },
        cancellation);

    /// <summary>Sends a last message, unless the peer does not take it, and closes the connection.</summary>
    public async ValueTask CloseAsync(ReadOnlyMemory<byte> message)
    {
        IsBroken = true;
        try
        {
            using var timer = new CancellationTokenSource(LastMessage, time);
            await stream.WriteAsync(message, timer.Token);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // The connection is lost or full.
        }
        await DisposeAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        IsBroken = true;
        await stream.DisposeAsync();
        _stop.Dispose();
    }

    private static int CheckRead(int count) =>
        count > 0 ? count : throw new AssociationException(AssociationEnd.Closed, "it closed the connection");

    private async ValueTask<int> RunAsync(Func<CancellationToken, ValueTask<int>> work, CancellationToken cancellation)
    {
        if (IsBroken) throw new AssociationException(AssociationEnd.Closed, "the association has ended");
        cancellation.ThrowIfCancellationRequested();
        using var registration = cancellation.UnsafeRegister(static stop => ((CancellationTokenSource)stop!).Cancel(), _stop);
        _stop.CancelAfter(Limit);
        var isDone = false;
        try
        {
            var result = await work(_stop.Token);
            isDone = true;
            return result;
        }
        catch (OperationCanceledException e)
        {
            cancellation.ThrowIfCancellationRequested();
            throw new TimeoutException("no answer in time", e);
        }
        catch (IOException e)
        {
            throw new AssociationException(AssociationEnd.Closed, "it closed the connection", e);
        }
        finally
        {
            if (!isDone) IsBroken = true;
            else _stop.CancelAfter(Timeout.InfiniteTimeSpan);
        }
    }
}
