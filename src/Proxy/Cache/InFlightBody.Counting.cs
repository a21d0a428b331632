namespace Proxy.Cache;

/// <summary>Accounts for the bytes that an in-flight body holds.</summary>
public sealed partial class InFlightBody
{
    /// <summary>The size of all arrays held, in bytes.</summary>
    private long _allocated;

    /// <summary>The bytes reserved as in flight; a declared length is reserved in advance.</summary>
    private long _counted;

    /// <summary>Counts the bytes once the body is complete.</summary>
    private BodyUsage? _usage;

    /// <summary>Frees the resources after the last reader.</summary>
    private void Free()
    {
        _spool?.Dispose();
        _usage?.RemoveReader();
        LowerTo(0);
    }

    /// <summary>Raises the reservation to this number of bytes; false when the limit is reached. Call under the lock.</summary>
    private bool TryCount(long bytes)
    {
        if (inFlight is null || bytes <= _counted) return true;
        if (!inFlight.TryReserve(bytes - _counted, makesRoom: Placement != Placement.Prefetched)) return false;
        _counted = bytes;
        return true;
    }

    private void LowerTo(long bytes)
    {
        if (inFlight is null) return;
        inFlight.Release(_counted - bytes);
        _counted = bytes;
    }

    /// <summary>
    /// Moves the accounting of the complete body to its holders: the tier, and the readers of this body. Call under the lock.
    /// </summary>
    private BodyUsage? CountAsWhole()
    {
        if (inFlight is null) return null;
        _usage = new(inFlight, _written);
        _usage.AddReader();
        LowerTo(0);
        return _usage;
    }

    /// <summary>Call under the lock.</summary>
    private void AddPiece()
    {
        var piece = new Piece(_written, NextPieceBytes());
        _pieces.Add(piece);
        _allocated += piece.Bytes.Length;
        // The last piece of a declared body serves only to detect the end.
        if (_isLarge || TryCount(_allocated - (_receivedHead?.Length == _written ? LastPieceBytes : 0))) CountPieces();
        else Overflow();
    }

    /// <summary>A large body holds few pieces: count them as they come and go. Call under the lock.</summary>
    private void CountPieces()
    {
        if (!_isLarge || inFlight is null) return;
        inFlight.Reserve(_allocated - _counted);
        _counted = _allocated;
    }

    /// <summary>Call under the lock.</summary>
    private void RemovePieces(Predicate<Piece> matches)
    {
        _allocated -= _pieces.Where(p => matches(p)).Sum(p => (long)p.Bytes.Length);
        if (_pieces.RemoveAll(matches) > 0) CountPieces();
    }
}
