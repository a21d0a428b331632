using System.Net.Sockets;

namespace Proxy.Operations.Output;

/// <summary>Bytes to send on a connection.</summary>
/// <param name="Bytes">The bytes; empty when <paramref name="Send"/> sends them.</param>
/// <param name="Block">The pooled block of the bytes, which is returned when they are sent; null when another piece returns it.</param>
/// <param name="IsLent">True when the bytes belong to the sender of the answer, and were not copied.</param>
/// <param name="Send">Sends bytes that are not in memory, to their end or an exception.</param>
internal readonly record struct OutputPiece(
    ReadOnlyMemory<byte> Bytes, IDisposable? Block, bool IsLent, Func<Socket, CancellationToken, ValueTask>? Send = null);
