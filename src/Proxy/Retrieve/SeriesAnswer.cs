using System.Net;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Retrieve.Checks;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve;

/// <summary>Reads a whole series out of one answer of a backend: each instance leaves as it arrives, and is kept.</summary>
/// <remarks>
/// <code>
/// backend ──► multipart ──► which instance, which form ──► fill of that instance ──► client
///                                                              └──► disk
/// </code>
/// A part that is not wanted, or that the client does not accept, is read over. The backend is read no faster than its parts are
/// taken.
/// </remarks>
public sealed class SeriesAnswer(BackendClient client, EntryCache cache, GivenForms given, BackendScheduler scheduler)
{
    /// <summary>Bytes of a part that are looked at; what they do not say stays unknown.</summary>
    private const int MostStartBytes = 64 * 1024;

    /// <summary>Parts that are here and not yet taken.</summary>
    private const int MostWaiting = 4;

    /// <summary>
    /// The instances of the answer that are wanted; fewer when it breaks off between two parts, none when the backend refuses.
    /// </summary>
    /// <param name="backend">The owner of the series.</param>
    /// <param name="series">What is wanted.</param>
    /// <param name="negotiation">In which forms.</param>
    /// <param name="cancellation">The client leaves.</param>
    public async IAsyncEnumerable<InstancePart> ReadAsync(
        BackendOptions backend, SeriesInstances series, Negotiation negotiation, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var waiting = scheduler.BeginForeground(backend.Name, new(series.Path.Study, series.Path.Series));
        var parts = Channel.CreateBounded<InstancePart>(MostWaiting);
        var asking = AskAsync(backend, series, negotiation, parts.Writer, leaving);
        try
        {
            await foreach (var part in parts.Reader.ReadAllAsync(cancellation)) yield return part;
        }
        finally
        {
            await leaving.CancelAsync();
            // A body that nobody reads may hold up the one who writes it.
            parts.Writer.TryComplete();
            DisposeAll(parts.Reader);
            await asking;
            DisposeAll(parts.Reader);
        }
    }

    private static void DisposeAll(ChannelReader<InstancePart> parts)
    {
        while (parts.TryRead(out var part)) part.Result.Dispose();
    }

    /// <summary>
    /// Asks in one form after the other until the backend gives parts. Failures are the backend's; the instances are asked for alone then.
    /// </summary>
    private async Task AskAsync(
        BackendOptions backend, SeriesInstances series, Negotiation negotiation, ChannelWriter<InstancePart> parts,
        CancellationTokenSource leaving)
    {
        var left = series.Instances.ToHashSet();
        var refusals = 0;
        var plan = new AskPlan(
            negotiation, given.Find(backend.Name, series.Path, negotiation), given.FindStored(backend.Name, series.Path));
        try
        {
            for (BackendFailure? failure = null; left.Count == series.Instances.Count && plan.Next(failure) is { } asked;)
            {
                var answer = await client.AskAsync(
                    backend, new(series.Path.ToString(), asked.Accept),
                    (response, stopped) => CopyAsync(
                        response, backend.Name, series.Path, negotiation, asked, left, parts, leaving, stopped), leaving.Token);
                failure = answer.Failure;
                if (failure is null) return;
                if (failure.Status is HttpStatusCode.BadRequest or HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotAcceptable or HttpStatusCode.NotImplemented)
                    refusals++;
            }
            if (refusals > 0 && left.Count == series.Instances.Count) given.NoteRefusesSeries(backend.Name);
        }
        catch (OperationCanceledException)
        {
            // The client left, or a body of the answer broke.
        }
        finally
        {
            parts.TryComplete();
        }
    }

    private async Task<bool> CopyAsync(
        BackendResponse response, string backend, SeriesPath path, Negotiation negotiation, AskedForms asked, HashSet<Uid> left,
        ChannelWriter<InstancePart> parts,
        CancellationTokenSource leaving, CancellationToken cancellation)
    {
        using var multipart = response.OpenMultipart();
        while (await multipart.ReadPartAsync(cancellation) is { } part)
        {
            var (identity, start) = await ReadStartAsync(multipart, cancellation);
            var uid = SeriesCheck.Read(identity, path);
            var head = new EntryHead(BodyFormat.Dicom, identity.TransferSyntaxUid.ToString(), part.Length);
            if (negotiation.Choose(head) is null || !left.Remove(uid)) continue;
            given.Note(backend, path, negotiation, asked.Only, head);
            var instance = new InstancePath(path.Study, path.Series, uid);
            var copied = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var lookup = cache.Get(
                new(backend, instance.ToString(), asked.GetKey(head)),
                (body, stopped) => CopyPartAsync(multipart, backend, head, start, body, copied, stopped), Placement.DiskOnly);
            if (lookup is not { Kept: null, IsCollapsed: false }) copied.SetResult();
            BodyResult? result = null;
            try
            {
                result = await BodyResult.FromLookupAsync(lookup, backend, cancellation);
                await parts.WriteAsync(new(instance, result), cancellation);
            }
            catch
            {
                result?.Dispose();
                // The reader of the answer is in use until then.
                await copied.Task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                throw;
            }
            try
            {
                await copied.Task;
            }
            catch (OperationCanceledException)
            {
                // Nobody reads the body any more: the client left, which is no fault of the backend.
                await leaving.CancelAsync();
                throw;
            }
        }
        return true;
    }

    /// <summary>The first bytes of a part, up to where they say which instance it is.</summary>
    private static async Task<(
        Part10Identity Identity, ReadOnlyMemory<byte> Start)> ReadStartAsync(MultipartReader multipart, CancellationToken cancellation)
    {
        var start = new byte[4096];
        for (var length = 0; ;)
        {
            if (length == start.Length) Array.Resize(ref start, 2 * length);
            var count = await multipart.ReadBodyAsync(start.AsMemory(length), cancellation);
            length += count;
            var isAll = count == 0 || length == MostStartBytes;
            if (Part10Identity.Read(start.AsMemory(0, length), Tag.SeriesInstanceUid, isAll) is { } identity)
                return (identity, start.AsMemory(0, length));
        }
    }

    /// <summary>One part into the fill of its instance. What is wrong with it is wrong with the whole answer.</summary>
    private static async Task<BackendAnswer<EntryHead>> CopyPartAsync(
        MultipartReader multipart, string backend, EntryHead head, ReadOnlyMemory<byte> start, InFlightBody body,
        TaskCompletionSource copied, CancellationToken stopped)
    {
        try
        {
            body.Begin(head);
            for (var rest = start; !rest.IsEmpty;)
            {
                var room = await body.GetRoomAsync(stopped);
                var count = Math.Min(room.Length, rest.Length);
                rest[..count].CopyTo(room);
                body.Commit(count);
                rest = rest[count..];
            }
            body.Open();
            var length = (long)start.Length;
            for (int count; (count = await multipart.ReadBodyAsync(await body.GetRoomAsync(stopped), stopped)) > 0; length += count)
                body.Commit(count);
            if (head.Length is { } declared && declared != length) throw new MalformedAnswerException("A part is not as long as it says.");
            copied.SetResult();
            return new(head with { Length = length });
        }
        catch (Exception e)
        {
            copied.TrySetException(e);
            if (e is OperationCanceledException) throw;
            return new(new BackendFailure(backend, BackendError.BadAnswer, "the body broke off"));
        }
    }
}
