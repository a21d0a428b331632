using System.Globalization;

namespace Proxy.Dicom;

/// <summary><c>studies/{study}</c>, below the root of a DICOMweb service (PS3.18 §10.1.1).</summary>
/// <param name="Study">Study Instance UID.</param>
public readonly record struct StudyPath(Uid Study)
{
    /// <summary>The path without a slash at either end.</summary>
    public override string ToString() => $"studies/{Study}";
}

/// <summary><c>studies/{study}/series/{series}</c>.</summary>
/// <param name="Study">Study Instance UID.</param>
/// <param name="Series">Series Instance UID.</param>
public readonly record struct SeriesPath(Uid Study, Uid Series)
{
    /// <summary>The path without a slash at either end.</summary>
    public override string ToString() => $"studies/{Study}/series/{Series}";
}

/// <summary><c>studies/{study}/series/{series}/instances/{instance}</c>.</summary>
/// <param name="Study">Study Instance UID.</param>
/// <param name="Series">Series Instance UID.</param>
/// <param name="Instance">SOP Instance UID.</param>
public readonly record struct InstancePath(Uid Study, Uid Series, Uid Instance)
{
    /// <summary>The series that holds the instance.</summary>
    public SeriesPath SeriesPath => new(Study, Series);

    /// <summary>The path without a slash at either end.</summary>
    public override string ToString() => $"studies/{Study}/series/{Series}/instances/{Instance}";
}

/// <summary><c>…/instances/{instance}/frames/{frame}</c>.</summary>
/// <param name="Instance">The instance that holds the frame.</param>
/// <param name="Frame">The frame number, counted from 1 (PS3.18 §10.1.1).</param>
public readonly record struct FramePath(InstancePath Instance, int Frame)
{
    /// <summary>The path without a slash at either end.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Instance}/frames/{Frame}");
}

/// <summary>A frame or a whole instance.</summary>
/// <param name="Path">The instance, or the instance of the frame.</param>
/// <param name="Frame">The frame number, from 1; null for the instance itself.</param>
public sealed record BodyPath(InstancePath Path, int? Frame)
{
    /// <summary>The path below a DICOMweb root.</summary>
    public string RelativePath { get; } = Frame is { } frame ? new FramePath(Path, frame).ToString() : Path.ToString();
}
