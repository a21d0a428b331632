using System.Runtime.ExceptionServices;
using Microsoft.AspNetCore.Http.Features;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Rights;
using Proxy.Wire;

namespace Proxy.Storing;

/// <summary>STOW-RS: stores instances in a backend (PS3.18 §10.5).</summary>
/// <remarks>
/// <code>
/// 1 check     media type, declared length, accepted types of the answer
/// 2 choose    the backend (StowTarget)
/// 3 send      the body to it while it arrives (StowBody)
/// 4 follow    clear what the request made stale, in any outcome (StowChanges), and cache what was stored (WriteThrough)
/// 5 answer    the backend's status and dataset, with URLs of the proxy
/// </code>
/// A request is sent once. When the backend gives no answer after a part of the body was sent, the client is told that the result is
/// unknown.
/// </remarks>
internal static class StowEndpoints
{
    private const string Unknown =
        ". The request was sent at least in part: its result is unknown, and the backend may have stored instances. Search for them before "
        + "sending them again.";

    private static readonly string[] Forms = [BodyFormat.Dicom, MediaType.DicomJson, MediaType.DicomXml];

    private static readonly string[] XmlTypes = [MediaType.DicomXml, "application/xml", "text/xml"];

    public static void MapStow(this IEndpointRouteBuilder root)
    {
        root.MapPost("/studies", AnswerAsync);
        root.MapPost("/studies/{study}", AnswerAsync);
    }

    private static async Task<IResult> AnswerAsync(
        HttpContext context, StowTarget targets, IArchive archive, WriteThrough writeThrough, StowChanges changes, StudyRights rights,
        Reloadable<StoreOptions> options)
    {
        // 1
        // The server's own limit is 30 MB. A body over the limit is not awaited after a refusal.
        var max = options.Value.MaxBytes;
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit) limit.MaxRequestBodySize = max;
        if (!context.TryReadUids(out var study, out _, out _, out var problem)) return problem;
        var form = MediaType.Parse(context.Request.ContentType);
        if (RefuseForm(context.Request, form) is { } unsupported) return unsupported;
        if (context.Request.ContentLength > max) return TooLarge(max);
        var accept = context.Request.ReadAccept();
        var isXml = accept.Types.Select(t => IsXml(t.Type)).FirstOrDefault(known => known is not null) == true;
        if (!isXml && !accept.AcceptsDicomJson)
            return Problems.NotAcceptable("The answer is available as application/dicom+json and application/dicom+xml.");

        // 2
        var access = rights.NarrowBackends(context.GetAccess());
        if (access.Backends.Count == 0) return Problems.NoStore("No backend is available to store to.");
        if (study is { } named)
        {
            access = await rights.NarrowToStoreAsync(access, named, context.RequestAborted);
            if (access.Backends.Count == 0) return Problems.RequestRefused(StatusCodes.Status403Forbidden, StowBody.MayNotStore);
        }
        var (backend, refusal) = await targets.FindAsync(access, study, context.RequestAborted);
        if (backend is null) return refusal!;

        // 3
        using var captures = writeThrough.Begin(backend);
        var body = new StowBody(context.Request.Body, form!, captures, FindRule(rights, access, backend, context.RequestAborted));
        var request = new StoreRequest(
            study, form!, context.Request.ContentLength, context.GetRootAddress(access), isXml, body.CopyAsync);
        StoreOutcome? outcome = null;
        try
        {
            // A client that leaves ends the sending, but not the wait for the answer after it.
            using var leaving = new CancellationTokenSource();
            await using var left = context.RequestAborted.UnsafeRegister(_ => body.EndUnlessWhole(leaving), null);
            outcome = await archive.StoreAsync(backend, request, leaving.Token);
        }
        finally
        {
            // 4
            await changes.FollowAsync(captures, study, body.Contents, outcome);
            if (context.Features.Get<AccessNotes>() is { } notes) Note(notes, backend, body.Contents);
        }

        // 5
        if (outcome.ClientError is { } error) return GetProblem(error, max);
        if (outcome.Failure is { } failure) return GetFailed(failure, outcome.IsUnknown);
        return await SendAsync(context, backend, outcome.Answer!);
    }

    private static void Note(AccessNotes notes, BackendOptions backend, StowContents contents) =>
        (notes.Backends, notes.Studies) =
            ([backend.Name], [.. contents.Read().Select(series => series.Path.Study).Distinct().Select(study => study.ToString())]);

    private static Func<Uid, ValueTask<bool>>? FindRule(
        StudyRights rights, Access access, BackendOptions backend, CancellationToken cancellation) =>
        rights.AreLimited(access with { Backends = [backend] })
            ? study => rights.MayStoreAsync(access.Caller, backend, study, cancellation)
            : null;

    /// <summary>A problem unless the body is multipart, of DICOM files or of metadata with bulk data (PS3.18 §10.5.2).</summary>
    private static IResult? RefuseForm(HttpRequest request, MediaType? form)
    {
        if (form?.Is(MediaType.MultipartRelated) != true || MediaType.Parse(form.Find("type")) is not { } type || !Forms.Any(type.Is))
            return Problems.UnsupportedMediaType("multipart/related; type=\"application/dicom\"; boundary=…");
        if (request.Headers.ContentEncoding.ToString() is not ("" or "identity"))
            return Problems.UnsupportedMediaType("a body without a Content-Encoding");
        var boundary = form.Find("boundary");
        return boundary is { Length: > 0 and <= 200 } && !boundary.AsSpan().ContainsAnyExceptInRange(' ', '~')
            ? null
            : Problems.BadParameter("Content-Type", "a boundary of 1 to 70 characters (RFC 2046 §5.1.1)");
    }

    private static bool? IsXml(MediaType type) =>
        XmlTypes.Contains(type.Type) ? true
        : type.Type is MediaType.DicomJson or "application/json" or "application/*" or "*/*" ? false
        : null;

    private static IResult TooLarge(long max) => Problems.TooLarge($"body: at most {max} bytes (Store:MaxBytes)");

    private static IResult GetProblem(Exception error, long max)
    {
        switch (error)
        {
            case BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge }:
                return TooLarge(max);
            case BadHttpRequestException refused:
                return Problems.RequestRefused(refused.StatusCode, refused.Message);
            case MalformedAnswerException:
                return Problems.BadParameter("body", "a complete multipart message with at least one part (RFC 2046 §5.1)");
            case IOException or OperationCanceledException:
                return Problems.BadParameter("body", "it must arrive completely");
            default:
                ExceptionDispatchInfo.Throw(error);
                return null!;
        }
    }

    private static IResult GetFailed(BackendFailure failure, bool isUnknown)
    {
        if (failure.Status is ErrorStatus.NotAllowed or ErrorStatus.NotImplemented)
            return Problems.NoStore($"The backend {failure.Backend} does not store instances.");
        if (!isUnknown) return new[] { failure }.ToProblem();
        var detail = $"{failure.Backend}: {failure.Summary}{Unknown}";
        return failure.Error == BackendError.TimedOut ? Problems.TimedOut(detail) : Problems.BadGateway(detail);
    }

    private static async Task<IResult> SendAsync(HttpContext context, BackendOptions backend, StoreAnswer answer)
    {
        var status = (int)answer.Status;
        if (answer.Text.IsEmpty) return Problems.RefusedByAll(status, $"{backend.Name}: status {status}");
        var response = context.Response;
        response.StatusCode = status;
        response.ContentType = answer.MediaType;
        response.ContentLength = answer.Text.Length;
        response.Headers.CacheControl = "no-store";
        if (answer.MediaType == MediaType.DicomXml) response.SetInert();
        await response.Body.WriteAsync(answer.Text, context.RequestAborted);
        return Results.Empty;
    }
}
