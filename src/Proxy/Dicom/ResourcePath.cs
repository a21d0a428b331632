using System.Globalization;

namespace Proxy.Dicom;

/// <summary><c>studies/{study}</c>, below the root of a DICOMweb service (PS3.18 §10.1.1).</summary>
public readonly record struct StudyPath(Uid Study)
{
    public override string ToString() => $"studies/{Study}";
}

/// <summary><c>studies/{study}/series/{series}</c>.</summary>
public readonly record struct SeriesPath(Uid Study, Uid Series)
{
    public override string ToString() => $"studies/{Study}/series/{Series}";
}

/// <summary><c>studies/{study}/series/{series}/instances/{instance}</c>.</summary>
public readonly record struct InstancePath(Uid Study, Uid Series, Uid Instance)
{
    public SeriesPath SeriesPath => new(Study, Series);

    public override string ToString() => $"studies/{Study}/series/{Series}/instances/{Instance}";
}

/// <summary><c>…/instances/{instance}/frames/{frame}</c>; frames are counted from 1 (PS3.18 §10.1.1).</summary>
public readonly record struct FramePath(InstancePath Instance, int Frame)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Instance}/frames/{Frame}");
}
