using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;

namespace Proxy.Operations.Output;

/// <summary>One send operation on a socket, reused by all connections: an idle connection holds none.</summary>
internal sealed class SocketSend() : SocketAsyncEventArgs(true), IValueTaskSource<SocketError>
{
    /// <summary>The maximum of pieces in one system call: the runtime pins each of them.</summary>
    private const int MaxPieces = 16;

    private const int MaxIdle = 64;

    private static readonly ConcurrentQueue<SocketSend> Idle = new();

    private readonly List<ArraySegment<byte>> _pieces = new(MaxPieces);
    private ManualResetValueTaskSourceCore<SocketError> _completion;

    /// <summary>Takes an idle operation, or creates one.</summary>
    public static SocketSend Rent() => Idle.TryDequeue(out var send) ? send : new();

    /// <summary>Makes the operation available to others. It must have ended.</summary>
    public void Return()
    {
        Clear();
        if (Idle.Count < MaxIdle) Idle.Enqueue(this);
        else Dispose();
    }

    /// <summary>Adds a piece to the next send; false when it has the maximum of pieces.</summary>
    public bool TryAdd(ReadOnlyMemory<byte> piece)
    {
        if (_pieces.Count == MaxPieces) return false;
        if (piece.IsEmpty) return true;
        if (!MemoryMarshal.TryGetArray(piece, out var bytes)) throw new ArgumentException("The piece is no array.", nameof(piece));
        _pieces.Add(bytes);
        return true;
    }

    /// <summary>Sends the pieces that were added, and forgets them.</summary>
    /// <param name="socket">The socket of the connection.</param>
    /// <returns>The outcome; <see cref="SocketAsyncEventArgs.BytesTransferred"/> says how much was sent.</returns>
    /// <exception cref="ObjectDisposedException">The connection was aborted.</exception>
    public ValueTask<SocketError> SendAsync(Socket socket)
    {
        if (_pieces.Count == 1)
        {
            if (BufferList is not null) BufferList = null;
            SetBuffer(_pieces[0].Array, _pieces[0].Offset, _pieces[0].Count);
        }
        else
        {
            if (Buffer is not null) SetBuffer(null, 0, 0);
            BufferList = _pieces;
        }
        _pieces.Clear();
        _completion.Reset();
        return socket.SendAsync(this) ? new(this, _completion.Version) : new(SocketError);
    }

    /// <inheritdoc/>
    public SocketError GetResult(short token) => _completion.GetResult(token);

    /// <inheritdoc/>
    public ValueTaskSourceStatus GetStatus(short token) => _completion.GetStatus(token);

    /// <inheritdoc/>
    public void OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _completion.OnCompleted(continuation, state, token, flags);

    /// <inheritdoc/>
    protected override void OnCompleted(SocketAsyncEventArgs e) => _completion.SetResult(SocketError);

    /// <summary>Keeps no body alive.</summary>
    private void Clear()
    {
        _pieces.Clear();
        if (BufferList is not null) BufferList = null;
        if (Buffer is not null) SetBuffer(null, 0, 0);
    }
}
