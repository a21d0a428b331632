namespace Proxy.Imaging.Pictures;

/// <summary>Compresses the numbers of colours with LZW in blocks of at most 255 bytes, as a GIF stores them (GIF89a Appendix F).</summary>
/// <remarks>
/// <code>
/// 8 │ length, bytes │ length, bytes │ … │ 0        codes of 9 to 12 bits, least significant first: 256 clear, 257 end
/// </code>
/// A child of a code is found in a table of open addressing that has twice as many places as there are codes.
/// </remarks>
internal sealed class GifCodes
{
    private const int ColorBits = 8;
    private const int Clear = 1 << ColorBits;
    private const int End = Clear + 1;
    private const int MaxCodes = 4096;
    private const int Places = 2 * MaxCodes;

    private readonly int[] _keys = new int[Places];
    private readonly short[] _codes = new short[Places];
    private readonly byte[] _block = new byte[255];
    private int _blockLength;
    private uint _pending;
    private int _pendingBits;
    private int _next;
    private int _width;

    /// <summary>Writes the compressed numbers.</summary>
    public void Write(ReadOnlySpan<byte> indexes, Stream file)
    {
        file.WriteByte(ColorBits);
        _width = ColorBits + 1;
        Restart(file);
        int prefix = indexes[0];
        foreach (var index in indexes[1..])
        {
            var key = (prefix << ColorBits | index) + 1;
            var place = FindPlace(key);
            if (_keys[place] == key)
            {
                prefix = _codes[place];
                continue;
            }
            WriteCode(prefix, file);
            if (_next == MaxCodes)
            {
                Restart(file);
            }
            else
            {
                // The reader knows this code one step later: its width grows when the code before the next one fills it.
                if (_next == 1 << _width) _width++;
                (_keys[place], _codes[place]) = (key, (short)_next++);
            }
            prefix = index;
        }
        WriteCode(prefix, file);
        WriteCode(End, file);
        if (_pendingBits > 0) WriteByte((byte)_pending, file);
        if (_blockLength > 0) WriteBlock(file);
        file.WriteByte(0);
        (_pending, _pendingBits) = (0, 0);
    }

    private void Restart(Stream file)
    {
        WriteCode(Clear, file);
        (_next, _width) = (End + 1, ColorBits + 1);
        Array.Clear(_keys);
    }

    private int FindPlace(int key)
    {
        var place = (int)((uint)key * 2_654_435_761 >> 19);
        while (_keys[place] != 0 && _keys[place] != key) place = (place + 1) % Places;
        return place;
    }

    private void WriteCode(int code, Stream file)
    {
        _pending |= (uint)code << _pendingBits;
        for (_pendingBits += _width; _pendingBits >= 8; _pendingBits -= 8)
        {
            WriteByte((byte)_pending, file);
            _pending >>= 8;
        }
    }

    private void WriteByte(byte value, Stream file)
    {
        _block[_blockLength++] = value;
        if (_blockLength == _block.Length) WriteBlock(file);
    }

    private void WriteBlock(Stream file)
    {
        file.WriteByte((byte)_blockLength);
        file.Write(_block, 0, _blockLength);
        _blockLength = 0;
    }
}
