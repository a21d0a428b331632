namespace Proxy.Integration;

public sealed record Patient(string Id, string Name, string BirthDate, string Sex);

public sealed record Study(string Key, Patient Patient, string Date, string Description)
{
    public string Uid => Uids.Create("study", Key);
}

/// <summary>A series of <paramref name="Count"/> instances with the same kind of <paramref name="Content"/>.</summary>
public sealed record Series(Study Study, string Key, int Number, string Description, Content Content, int Count)
{
    public string Uid => Uids.Create("series", Study.Key, Key);

    public IEnumerable<Instance> Instances => Enumerable.Range(1, Count).Select(number => new Instance(this, number));

    /// <summary>Its address below a DICOMweb root.</summary>
    public string Path => $"studies/{Study.Uid}/series/{Uid}";
}

/// <summary>An instance: uploaded to a PACS, and expected back by a test.</summary>
public sealed record Instance(Series Series, int Number)
{
    public string Uid => Uids.Create("instance", Series.Study.Key, Series.Key, Number);

    public string Path => $"{Series.Path}/instances/{Uid}";

    public byte[] Frame(int frame) => Series.Content.Frame(this, frame);

    /// <summary>The instance as a file (PS3.10 7.1): preamble, <c>DICM</c>, file meta information, dataset.</summary>
    public byte[] ToPart10()
    {
        var meta = new Attributes()
            .Bytes(0x00020001, "OB", [0, 1])
            .Text(0x00020002, "UI", Series.Content.SopClassUid)
            .Text(0x00020003, "UI", Uid)
            .Text(0x00020010, "UI", Series.Content.TransferSyntax)
            .Text(0x00020012, "UI", Uids.Create("implementation"))
            .ToBytes();
        var length = new Attributes().Bytes(0x00020000, "UL", BitConverter.GetBytes(meta.Length)).ToBytes();
        return [.. new byte[128], .. "DICM"u8, .. length, .. meta, .. Dataset().ToBytes()];
    }

    private Attributes Dataset()
    {
        var study = Series.Study;
        var attributes = new Attributes()
            .Text(Tags.SpecificCharacterSet, "CS", "ISO_IR 192")
            .Text(Tags.SopClassUid, "UI", Series.Content.SopClassUid)
            .Text(Tags.SopInstanceUid, "UI", Uid)
            .Text(Tags.StudyDate, "DA", study.Date).Text(Tags.SeriesDate, "DA", study.Date).Text(Tags.ContentDate, "DA", study.Date)
            .Text(Tags.StudyTime, "TM", "101500").Text(Tags.SeriesTime, "TM", "101600").Text(Tags.ContentTime, "TM", "101700")
            .Text(Tags.AccessionNumber, "SH", "ACC-" + study.Key)
            .Text(Tags.Modality, "CS", Series.Content.Modality)
            .Text(Tags.Manufacturer, "LO", "Phantom Works")
            .Text(Tags.ReferringPhysicianName, "PN", "Referrer^Rita")
            .Text(Tags.StudyDescription, "LO", study.Description)
            .Text(Tags.SeriesDescription, "LO", Series.Description)
            .Text(Tags.PatientName, "PN", study.Patient.Name)
            .Text(Tags.PatientId, "LO", study.Patient.Id)
            .Text(Tags.PatientBirthDate, "DA", study.Patient.BirthDate)
            .Text(Tags.PatientSex, "CS", study.Patient.Sex)
            .Text(Tags.StudyInstanceUid, "UI", study.Uid)
            .Text(Tags.SeriesInstanceUid, "UI", Series.Uid)
            .Text(Tags.StudyId, "SH", study.Key)
            .Decimal(Tags.SeriesNumber, "IS", Series.Number)
            .Decimal(Tags.InstanceNumber, "IS", Number);
        Series.Content.Describe(attributes, this);
        return attributes;
    }

    public override string ToString() => $"{Series.Study.Key}/{Series.Key}/{Number}";
}
