using Proxy.Backends;
using Proxy.Cache;
using Proxy.Retrieve;

namespace Proxy.Rendering.Making;

/// <summary>Reads pictures: from the cache, else made, once for all clients that ask for the same picture.</summary>
/// <remarks>
/// <code>
/// usual parameters    memory and disk
/// others              memory only, and few per instance (<see cref="PictureVariety"/>)
/// </code>
/// A picture is a body like a frame: it ends with its series, its instance, a purge or its place in the budget.
/// </remarks>
internal sealed class PictureReader(EntryCache cache, PictureMaker maker, PictureVariety variety)
{
    /// <summary>Reads a picture for a client.</summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="backend">The owner of the series.</param>
    /// <param name="request">The picture.</param>
    /// <param name="cancellation">Cancelled when the client disconnects; the last client to leave cancels the making.</param>
    public async Task<BodyResult> ReadAsync(Access access, string backend, PictureRequest request, CancellationToken cancellation)
    {
        var key = request.GetKey(backend);
        if (request.IsUsual && await cache.FindAsync([new(key)], cancellation) is { } found) return BodyResult.Hit(found.Body, backend);
        // Another holder may stand in for the owner, and its frames are not those of the owner.
        var made = key;
        var lookup = cache.Get(key, MakeAsync, GetPlacement(request), _ => made);
        var result = await BodyResult.FromLookupAsync(lookup, backend, cancellation);
        if (!request.IsUsual && result.Body is not null) variety.Note(request.Path, made);
        return result;

        async Task<BackendAnswer<EntryHead>> MakeAsync(InFlightBody inFlight, CancellationToken stopped)
        {
            var (answer, source) = await maker.MakeAsync(access, backend, request, stopped);
            if (!answer.IsFound) return answer.Failure is { } failure ? new(failure) : new() { IsMissing = true };
            using var file = answer.Value;
            made = key with { Backend = source };
            return new(await file.CopyToAsync(inFlight, stopped));
        }
    }

    private static Placement GetPlacement(PictureRequest request) =>
        !request.IsUsual ? Placement.MemoryOnly
        : request.FramePlacement == Placement.DiskOnly ? Placement.DiskOnly
        : Placement.MemoryAndDisk;
}
