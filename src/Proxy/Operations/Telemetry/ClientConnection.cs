using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;

namespace Proxy.Operations.Telemetry;

/// <summary>A connection of a client that counts the bytes sent on it: heads and bodies, and encryption if the connection has it.</summary>
internal sealed class ClientConnection : IDuplexPipe
{
    private readonly Counted _output;

    private ClientConnection(IDuplexPipe inner, Traffic traffic)
    {
        Input = inner.Input;
        _output = new(inner.Output, traffic);
    }

    /// <inheritdoc/>
    public PipeReader Input { get; }

    /// <inheritdoc/>
    public PipeWriter Output => _output;

    /// <summary>The number of bytes sent so far.</summary>
    public long SentBytes => _output.Bytes;

    /// <summary>Counts what a connection sends from here on.</summary>
    public static void Follow(ConnectionContext connection, Traffic traffic)
    {
        var counted = new ClientConnection(connection.Transport, traffic);
        connection.Transport = counted;
        connection.Features.Set(counted);
    }

    private sealed class Counted(PipeWriter inner, Traffic traffic) : PipeWriter
    {
        private long _bytes;

        public long Bytes => Interlocked.Read(ref _bytes);

        public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

        public override long UnflushedBytes => inner.UnflushedBytes;

        public override void Advance(int bytes)
        {
            Count(bytes);
            inner.Advance(bytes);
        }

        public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
        {
            Count(source.Length);
            return inner.WriteAsync(source, cancellationToken);
        }

        public override Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) =>
            inner.FlushAsync(cancellationToken);

        public override void CancelPendingFlush() => inner.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

        /// <summary>One thread writes at a time; others read.</summary>
        private void Count(int bytes)
        {
            Volatile.Write(ref _bytes, _bytes + bytes);
            traffic.Add(Traffic.Total.BytesServed, bytes);
        }
    }
}
