using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Capabilities;

/// <summary>Every transaction below a DICOMweb root. The capabilities and the conformance statement are made from it.</summary>
/// <remarks>A test compares it with the mapped routes, in both directions.</remarks>
public static class CapabilityTable
{
    private const string Study = "studies/{study}";
    private const string Series = Study + "/series/{series}";
    private const string Instance = Series + "/instances/{instance}";
    private const string Frames = Instance + "/frames/{frames}";
    private const string Workitem = "workitems/{workitem}";
    private const string Subscriber = Workitem + "/subscribers/{aet}";
    private const string Json = MediaType.DicomJson;
    private const string MultipartDicom = $"{MediaType.MultipartRelated}; type=\"{BodyFormat.Dicom}\"";
    private const string Xml = $"{MediaType.MultipartRelated}; type=\"application/dicom+xml\"";
    private const string Zip = "application/zip";
    private const string Pdf = "application/pdf";
    private const string MultipartJpeg = $"{MediaType.MultipartRelated}; type=\"image/jpeg\"";
    private const string MultipartPdf = $"{MediaType.MultipartRelated}; type=\"{Pdf}\"";
    private const string MultipartOctets = $"{MediaType.MultipartRelated}; type=\"{MediaType.OctetStream}\"";

    private static readonly ImmutableArray<string> StudyKeys =
    [
        "StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy", "ReferringPhysicianName", "PatientName", "PatientID",
        "StudyInstanceUID", "StudyID",
    ];

    private static readonly ImmutableArray<string> SeriesKeys =
    [
        "Modality", "SeriesInstanceUID", "SeriesNumber", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
        "RequestAttributesSequence.ScheduledProcedureStepID", "RequestAttributesSequence.RequestedProcedureID",
    ];

    private static readonly ImmutableArray<string> InstanceKeys = ["SOPClassUID", "SOPInstanceUID", "InstanceNumber"];

    private static readonly ImmutableArray<string> OfSearch =
    [
        "includefield", "limit", "offset", "fuzzymatching", "emptyvaluematching", "multiplevaluematching", "TimezoneOffsetFromUTC",
        "accept", "charset",
    ];

    private static readonly ImmutableArray<string> OfForm = ["accept", "charset"];

    private static readonly ImmutableArray<string> Images = ["image/jpeg", "image/png", "image/gif"];

    private static readonly ImmutableArray<string> OfRendering = ["accept", "window", "viewport", "quality", "iccprofile"];

    private static readonly ImmutableArray<string> OfUri =
    [
        "requestType", "studyUID", "seriesUID", "objectUID", "contentType", "charset", "anonymize", "transferSyntax", "frameNumber", "rows",
        "columns", "region", "windowCenter", "windowWidth", "imageQuality",
    ];

    private static readonly ImmutableArray<int> SearchStatuses = [200, 204, 304, 400, 404, 406, 413, 502, 503, 504];
    private static readonly ImmutableArray<int> RetrieveStatuses = [200, 304, 400, 404, 406, 410, 502, 503, 504];

    /// <summary>Those of a resource that may be sent as a single part, which has ranges.</summary>
    private static readonly ImmutableArray<int> SinglePartStatuses = [200, 206, 304, 400, 404, 406, 410, 416, 502, 503, 504];

    /// <summary>All transactions, in the order of PS3.18.</summary>
    public static ImmutableArray<Capability> All { get; } =
    [
        new("GET", "", "RetrieveInstanceByURI", "9.4")
        {
            Answers = [BodyFormat.Dicom, .. Images, Pdf, "video/*"],
            Parameters = OfUri,
            Statuses = SinglePartStatuses,
        },

        .. Retrieve(Study, "Study", [MultipartDicom, Zip]),
        .. Retrieve(Series, "Series", [MultipartDicom, Zip]),
        .. Retrieve(Instance, "Instance", [MultipartDicom, BodyFormat.Dicom, Zip]),
        new("GET", Frames, "RetrieveFrames", "10.4")
        {
            Answers = [MultipartOctets, MediaType.OctetStream, "image/*", "video/*"],
            Parameters = OfForm,
            Statuses = SinglePartStatuses,
        },
        .. Rendered(Study, "Study", [MultipartJpeg, MultipartPdf]),
        .. Rendered(Series, "Series", [MultipartJpeg, MultipartPdf]),
        .. Rendered(Instance, "Instance", [.. Images, MultipartJpeg, Pdf, "video/*"]),
        .. Rendered(Frames, "Frames", [.. Images, MultipartJpeg]),
        .. BulkData(""),
        .. BulkData(Study + "/"),
        .. BulkData(Series + "/"),
        .. BulkData(Instance + "/"),

        Search("studies", "Studies", StudyKeys),
        Search("series", "Series", [.. StudyKeys, .. SeriesKeys]),
        Search("instances", "Instances", [.. StudyKeys, .. SeriesKeys, .. InstanceKeys]),
        Search(Study + "/series", "StudySeries", SeriesKeys),
        Search(Study + "/instances", "StudyInstances", [.. SeriesKeys, .. InstanceKeys]),
        Search(Series + "/instances", "StudySeriesInstances", InstanceKeys),

        Store("studies", "StoreInstances"),
        Store(Study, "StoreStudyInstances"),
        Forwarded("DELETE", Study, "DeleteStudy", null),
        Forwarded("DELETE", Series, "DeleteSeries", null),
        Forwarded("DELETE", Instance, "DeleteInstance", null),
        Forwarded("POST", Study + "/reject/{code}", "RejectStudy", null),
        Forwarded("POST", Series + "/reject/{code}", "RejectSeries", null),
        Forwarded("POST", Instance + "/reject/{code}", "RejectInstance", null),

        Forwarded("POST", "workitems", "CreateWorkitem", "11.4"),
        Forwarded("GET", Workitem, "RetrieveWorkitem", "11.5"),
        Forwarded("POST", Workitem, "UpdateWorkitem", "11.6"),
        Forwarded("PUT", Workitem, "UpdateWorkitemByPut", null),
        Forwarded("PUT", Workitem + "/state", "ChangeWorkitemState", "11.7"),
        Forwarded("POST", Workitem + "/cancelrequest", "RequestWorkitemCancellation", "11.8"),
        Forwarded("GET", "workitems", "SearchForWorkitems", "11.9"),
        Forwarded("POST", Subscriber, "Subscribe", "11.10"),
        Forwarded("DELETE", Subscriber, "Unsubscribe", "11.11"),
        Forwarded("POST", Subscriber + "/suspend", "SuspendGlobalSubscription", "11.12"),
        Forwarded("GET", "ws/subscribers/{aet}", "OpenNotificationConnection", "8.10.4"),

        Forwarded("GET", "{resource}", "SearchForNonPatientInstances", "12.6"),
        Forwarded("POST", "{resource}", "StoreNonPatientInstances", "12.5"),
        Forwarded("GET", "{resource}/{instance}", "RetrieveNonPatientInstance", "12.4"),
        Forwarded("POST", "{resource}/{instance}", "StoreNonPatientInstance", "12.5"),
    ];

    private static Capability Search(string path, string what, ImmutableArray<string> keys) => new("GET", path, "SearchFor" + what, "10.6")
    {
        Answers = [Json, Xml],
        Parameters = OfSearch,
        Keys = keys,
        Statuses = SearchStatuses,
    };

    private static Capability Store(string path, string name) => new("POST", path, name, "10.5")
    {
        Takes =
        [
            MultipartDicom, $"{MediaType.MultipartRelated}; type=\"{MediaType.DicomJson}\"",
            $"{MediaType.MultipartRelated}; type=\"{MediaType.DicomXml}\"",
        ],
        Answers = [Json, MediaType.DicomXml],
        Parameters = ["accept"],
        Statuses = [200, 202, 400, 403, 406, 409, 413, 415, 501, 502, 503, 504],
    };

    private static Capability[] Retrieve(string path, string what, ImmutableArray<string> answers) =>
    [
        new("GET", path, "Retrieve" + what, "10.4")
        {
            Answers = answers,
            Parameters = OfForm,
            Statuses = answers.Contains(BodyFormat.Dicom) ? SinglePartStatuses : RetrieveStatuses,
        },
        new("GET", path + "/metadata", $"Retrieve{what}Metadata", "10.4")
        {
            Answers = [Json, Xml],
            Parameters = OfForm,
            Statuses = RetrieveStatuses,
        },
    ];

    private static Capability[] BulkData(string prefix) =>
    [
        new("GET", prefix + "bulkdata/{holder}/{token}", "RetrieveBulkdata", "10.4")
        {
            Answers = [MediaType.OctetStream, MultipartOctets, "*/*"],
            Parameters = OfForm,
            Statuses = SinglePartStatuses,
        },
    ];

    private static Capability[] Rendered(string path, string what, ImmutableArray<string> answers) =>
    [
        new("GET", path + "/rendered", "RetrieveRendered" + what, "10.4")
        {
            Answers = answers,
            Parameters = OfRendering,
            Statuses = answers.Contains(Pdf) ? SinglePartStatuses : RetrieveStatuses,
        },
        new("GET", path + "/thumbnail", $"Retrieve{what}Thumbnail", "10.4")
        {
            Answers = Images,
            Parameters = OfRendering,
            Statuses = RetrieveStatuses,
        },
    ];

    private static Capability Forwarded(string method, string path, string name, string? section) =>
        new(method, path, name, section) { IsForwarded = true };
}
