namespace Proxy.Wire;

/// <summary>Bytes in pieces, read at any offset; cheap when offsets mostly go onward.</summary>
internal sealed class PieceSource(IReadOnlyList<ReadOnlyMemory<byte>> pieces)
{
    private int _piece;
    private long _start;

    public long Length { get; } = pieces.Sum(p => (long)p.Length);

    /// <inheritdoc cref="ReadAt"/>
    public int Read(long offset, Span<byte> destination)
    {
        while (_piece > 0 && offset < _start) _start -= pieces[--_piece].Length;
        while (_piece < pieces.Count && offset >= _start + pieces[_piece].Length) _start += pieces[_piece++].Length;
        if (_piece == pieces.Count) return 0;
        var bytes = pieces[_piece].Span[(int)(offset - _start)..];
        bytes = bytes[..Math.Min(bytes.Length, destination.Length)];
        bytes.CopyTo(destination);
        return bytes.Length;
    }
}
