namespace Proxy.Cache;

/// <summary>How the bytes that a fill holds are counted as in flight.</summary>
public sealed partial class InFlightBody
{
    /// <summary>Of all arrays that it holds, in bytes.</summary>
    private long _allocated;

    /// <summary>What of that it has counted as in flight, in bytes; a declared length is counted ahead.</summary>
    private long _counted;

    /// <summary>Counts the bytes once the body is whole.</summary>
    private BodyUsage? _usage;

    /// <summary>Nobody reads it any more.</summary>
    private void LetGo()
    {
        _spool?.Dispose();
        _usage?.Leave();
        CountDownTo(0);
    }

    /// <summary>Counts as many bytes as in flight, more than before; false when they are too many. Call under the lock.</summary>
    private bool TryCount(long bytes)
    {
        if (inFlight is null || bytes <= _counted) return true;
        if (!inFlight.TryReserve(bytes - _counted, makesRoom: Keep != Placement.Prefetched)) return false;
        _counted = bytes;
        return true;
    }

    private void CountDownTo(long bytes)
    {
        if (inFlight is null) return;
        inFlight.Release(_counted - bytes);
        _counted = bytes;
    }

    /// <summary>
    /// From now on its bytes are counted wherever they are held: the tier, and here as long as somebody reads. Call under the lock.
    /// </summary>
    private BodyUsage? CountAsWhole()
    {
        if (inFlight is null) return null;
        _usage = new(inFlight, _written);
        _usage.Enter();
        CountDownTo(0);
        return _usage;
    }

    /// <summary>Call under the lock.</summary>
    private void AddPiece()
    {
        var piece = new Piece(_written, NextPieceBytes());
        _pieces.Add(piece);
        _allocated += piece.Bytes.Length;
        // The last piece of a declared body is for its end alone.
        if (_isLarge || TryCount(_allocated - (_begun?.Length == _written ? LastPieceBytes : 0))) CountPieces();
        else Overflow();
    }

    /// <summary>Those of a large body are few, and counted as they come and go. Call under the lock.</summary>
    private void CountPieces()
    {
        if (!_isLarge || inFlight is null) return;
        inFlight.Reserve(_allocated - _counted);
        _counted = _allocated;
    }

    /// <summary>Call under the lock.</summary>
    private void RemovePieces(Predicate<Piece> isMeant)
    {
        _allocated -= _pieces.Where(p => isMeant(p)).Sum(p => (long)p.Bytes.Length);
        if (_pieces.RemoveAll(isMeant) > 0) CountPieces();
    }
}
