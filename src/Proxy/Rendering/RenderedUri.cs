using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Rendering.Making;
using Proxy.Rendering.Requests;
using Proxy.Retrieve;

namespace Proxy.Rendering;

/// <summary>WADO-URI of a rendered instance (PS3.18 §9.5), for requests that prefer a rendered type to <c>application/dicom</c>.</summary>
/// <remarks><c>contentType</c> replaces the Accept header; <see cref="UriParameters"/> are the others.</remarks>
internal static class RenderedUri
{
    /// <summary>An endpoint filter of WADO-URI: answers requests for a rendering, and passes on the others.</summary>
    public static async ValueTask<object?> FilterAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        if (http.Request.Query["requestType"] != "WADO" || FindForms(http.Request) is not { } forms) return await next(context);
        var answer = await AnswerAsync(http, forms);
        // A list of types may name the file as well, for an object that cannot be rendered.
        var isRefused = answer is IStatusCodeHttpResult { StatusCode: >= StatusCodes.Status404NotFound };
        return isRefused && ReadTypes(http.Request).Types.Any(accepted => IsFile(accepted.Type)) ? await next(context) : answer;
    }

    /// <summary>The accepted rendered types if one of them is preferred; null for a request for a file.</summary>
    private static RenderedForms? FindForms(HttpRequest request)
    {
        var accept = ReadTypes(request);
        foreach (var (type, _) in accept.Types)
        {
            if (IsFile(type)) return null;
            if (!RenderedForms.Read(accept.Select(t => t == type ? t : null)).IsEmpty) return RenderedForms.Read(accept);
        }
        return null;
    }

    private static Accept ReadTypes(HttpRequest request) =>
        request.Query["contentType"].ToString() is { Length: > 0 } contentType ? Accept.Parse(contentType, null) : request.ReadAccept();

    /// <summary>True for the type of a file. A wildcard means the stored file.</summary>
    private static bool IsFile(MediaType type) => type.Type is BodyFormat.Dicom or "application/*" or "*/*";

    private static async Task<IResult> AnswerAsync(HttpContext context, RenderedForms forms)
    {
        var request = context.Request;
        if (UriEndpoints.RefuseIdentity(request, out var path) is { } problem) return problem;
        if (UriParameters.Refuse(request.Query, out var asked) is { } refusal) return refusal;
        var services = context.RequestServices;
        var found = await services.GetRequiredService<RenderableInstances>().FindAsync(
            context.GetAccess(), path, context.RequestAborted);
        if (found.Instance is not { } instance) return PictureAnswer.ToProblem(context, found.Failures, path.ToString());
        if (asked.RefuseRegion(instance.What.Size, out var parameters) is { } region) return region;
        return await services.GetRequiredService<RenderedAnswers>().AnswerAsync(
            context, instance, new(path, asked.Frame is { } frame ? [frame] : null, parameters, forms));
    }
}
