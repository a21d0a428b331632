using System.Net;

namespace Proxy.Backends.DicomWeb;

/// <summary>Reads HTTP status codes (RFC 9110 §15).</summary>
internal static class HttpStatuses
{
    /// <summary>What an error status says.</summary>
    public static ErrorStatus Read(HttpStatusCode status) => status switch
    {
        HttpStatusCode.BadRequest => ErrorStatus.BadRequest,
        HttpStatusCode.NotFound => ErrorStatus.NotFound,
        HttpStatusCode.Gone => ErrorStatus.Gone,
        HttpStatusCode.MethodNotAllowed => ErrorStatus.NotAllowed,
        HttpStatusCode.NotAcceptable => ErrorStatus.NotAcceptable,
        HttpStatusCode.RequestEntityTooLarge => ErrorStatus.TooLarge,
        HttpStatusCode.UnsupportedMediaType => ErrorStatus.UnsupportedForm,
        HttpStatusCode.RequestUriTooLong or HttpStatusCode.UnprocessableEntity or HttpStatusCode.RequestHeaderFieldsTooLarge =>
            ErrorStatus.Unprocessable,
        >= HttpStatusCode.BadRequest and < HttpStatusCode.TooManyRequests => ErrorStatus.Rejected,
        HttpStatusCode.InternalServerError => ErrorStatus.ServerError,
        HttpStatusCode.NotImplemented => ErrorStatus.NotImplemented,
        > HttpStatusCode.NotImplemented => ErrorStatus.Unavailable,
        _ => ErrorStatus.Other,
    };
}
