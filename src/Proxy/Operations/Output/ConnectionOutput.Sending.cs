using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;

namespace Proxy.Operations.Output;

/// <summary>Sending what was written: one system call for pieces in memory, and one for each file.</summary>
internal sealed partial class ConnectionOutput
{
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<FlushResult> SendAsync(CancellationToken cancellation)
    {
        var send = SocketSend.Rent();
        try
        {
            // The head, a file and the end leave in full packets, although they are sent by three calls.
            var isCorked = _sending.Count > 1 && _sending.Exists(static p => p.Send is not null) && TcpCork.TrySet(socket, isOn: true);
            // The piece that is sent next, and the offset in it.
            for (var (next, offset) = (0, 0); next < _sending.Count;)
            {
                if (_sending[next].Send is { } other)
                {
                    await other(socket, cancellation);
                    next++;
                    continue;
                }
                for (var i = next; i < _sending.Count && _sending[i].Send is null; i++)
                {
                    if (!send.TryAdd(i == next ? _sending[i].Bytes[offset..] : _sending[i].Bytes)) break;
                }
                var sent = await SendAsync(send, cancellation);
                for (; next < _sending.Count && _sending[next].Send is null && sent >= _sending[next].Bytes.Length - offset; next++)
                {
                    sent -= _sending[next].Bytes.Length - offset;
                    offset = 0;
                }
                offset += sent;
            }
            if (isCorked) TcpCork.TrySet(socket, isOn: false);
            send.Return();
        }
        catch (Exception e)
        {
            // The client is gone, the flush was cancelled, or a disk failed: the rest of the answer cannot follow.
            send.Dispose();
            Break(e);
        }
        lock (_lock)
        {
            Release(_sending);
            _isFlushing = false;
            _idle?.SetResult();
            _idle = null;
            return new(TakeCancellation(), _isBroken);
        }
    }

    private async ValueTask<int> SendAsync(SocketSend send, CancellationToken cancellation)
    {
        var sending = send.SendAsync(socket);
        SocketError error;
        if (sending.IsCompleted) error = sending.Result;
        else
        {
            using (cancellation.UnsafeRegister(
                static output => ((ConnectionOutput)output!).Break(new ConnectionAbortedException("A flush was cancelled.")), this))
            {
                error = await sending;
            }
        }
        if (error != SocketError.Success) throw new SocketException((int)error);
        return send.BytesTransferred;
    }
}
